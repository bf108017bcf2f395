"""Which files a command line refers to, and where each result goes."""

from __future__ import annotations

import dataclasses
import glob
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from adair.errors import InputError
from adair.images.image_file import FORMATS
from adair.images.optional import suffixes_known
from adair.restore.clips import CONTAINERS, check_name, is_video, suffix_of_result
from adair.restore.record import made_here
from adair.restore.tasks import AUTO
from adair.tasks import FOUNDATION, TASKS

SAME_FOLDER = "{stem}.{task}{ext}"  # a result in the folder of its source
OTHER_FOLDER = "{stem}{ext}"  # a result in a folder of results


@dataclasses.dataclass(frozen=True)
class Job:
    """A file to restore and its result."""

    source: Path
    output: Path


@dataclasses.dataclass(frozen=True)
class Batch:
    """Jobs in order, and what was skipped in folders, one line each."""

    jobs: tuple[Job, ...]
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Naming:
    """How results are named.

    Attributes:
        label: what was done, as returned by `Restorer.check`.
        template: name of a result, with {stem} and {ext} of the source and {task} for the label; None for `SAME_FOLDER`
            if it goes into the folder of the source, and `OTHER_FOLDER` otherwise.
        extension: extension of all results, such as ".png"; None for that of the source.
        tasks: names of tasks besides the registered ones; results are recognised by them.

    Raises:
        InputError: a template with other fields, with a folder, or without {stem} or an extension; an extension of
            files that are not written.
    """

    label: str
    template: str | None = None
    extension: str | None = None
    tasks: Collection[str] = ()

    def __post_init__(self) -> None:
        if self.extension is not None and self.extension.lower() not in (*FORMATS, *CONTAINERS):
            raise InputError(
                f"format '{self.extension[1:]}': cannot be written; use {_listed(FORMATS)}, or for videos "
                f"{_listed(CONTAINERS)}"
            )
        if self.template is not None:
            self._check_template(self.template)

    def _check_template(self, template: str) -> None:
        rest = re.sub(r"\{(stem|task|ext)\}", "", template)
        if "{stem}" not in template or set(rest) & set("{}"):
            raise InputError(f"name '{template}': use {{stem}}, {{task}} and {{ext}}, as in '{SAME_FOLDER}'")
        if set(rest) & set("/\\"):
            raise InputError(f"name '{template}': has a slash, but names no folder; choose the folder with -o")
        if not template.endswith("{ext}") and Path(template).suffix.lower() not in (*FORMATS, *CONTAINERS):
            raise InputError(f"name '{template}': ends in no extension; end it in {{ext}}, as in '{SAME_FOLDER}'")

    def name(self, source: Path, default: str, whole: bool = False) -> str:
        """Return the name of the result of ``source``; ``whole``: its extension becomes part of the stem."""
        name = self.template or default
        for field, value in (
            ("{task}", self.label),
            ("{ext}", self.extension or suffix_of_result(source.suffix)),
            ("{stem}", source.name if whole else source.stem),
        ):
            name = name.replace(field, value)
        return name

    def is_result(self, path: Path, siblings: Collection[str]) -> bool:
        """Whether ``path`` is named like a result of one of the files with the stems ``siblings``."""
        names = "|".join(re.escape(name) for name in {*TASKS, *self.tasks, AUTO, FOUNDATION})
        step = rf"(?:{names})[\d.]*"
        label = re.compile(
            rf"{step}(?:[_+]{step})*(?:-x\d)?(?:-[slc][\d.]+)*(?:-masked)?(?:-ensemble)?|{re.escape(self.label)}"
        )
        dots = [place for place, letter in enumerate(path.stem) if letter == "."]
        return any(path.stem[:dot] in siblings and label.fullmatch(path.stem[dot + 1 :]) for dot in dots)


def expand_patterns(words: Iterable[str | Path]) -> list[Path]:
    """Return the paths that the words of a command line stand for.

    A word with ``*``, ``?`` or ``[`` is a pattern unless a file has that name; ``**`` stands for any folders. Windows
    shells leave patterns to programs, as other shells do with quoted ones.

    Raises:
        InputError: a pattern that nothing matches.
    """
    paths: list[Path] = []
    for word in map(str, words):
        if not glob.has_magic(word) or Path(word).exists():
            paths.append(Path(word))
        elif found := sorted(glob.glob(word, recursive=True)):
            paths += map(Path, found)
        else:
            raise InputError(f"{word}: no file matches this pattern")
    return paths


def find_images(folder: Path, recursive: bool = False, notes: list[str] | None = None) -> list[Path]:
    """Return the files of a folder that may be images, in order of names, without hidden files and folders.

    Args:
        folder: the folder.
        recursive: whether the folders in it are searched, too.
        notes: gets a line for every folder in it that cannot be read.

    Raises:
        OSError: ``folder`` itself cannot be read.
    """

    def report(error: OSError) -> None:
        if notes is None or Path(error.filename) == folder:
            raise error
        notes.append(f"{error.filename}: not searched, {(error.strerror or 'cannot be read').lower()}")

    found: list[Path] = []
    for here, folders, names in os.walk(folder, onerror=report):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        found += [Path(here, name) for name in names if not name.startswith(".")]
    return sorted(found)


def plan_batch(sources: Sequence[Path], output: Path | None, naming: Naming, recursive: bool = False) -> Batch:
    """Find the images in ``sources`` and name their results.

    Without ``output`` a result goes into the folder of its source. With one source file and an ``output`` that has an
    extension, that is the result's name; otherwise ``output`` is a folder that keeps the tree of every source folder.
    Folders are searched one level deep, or all the way if ``recursive``. Skipped in them: hidden files, files with
    other extensions, and results of earlier runs, which are recognised by their record or their name.

    Of ``a.jpg`` and ``a.heic``, whose result is a JPEG too, the latter's is called ``a.heic.jpg``.

    Raises:
        InputError: a folder without images, an output that does not fit, two sources with the same output, or an
            output that is its own source.
    """
    one_file = len(sources) == 1 and not sources[0].is_dir()
    if output is not None and output.suffix.lower() in (*FORMATS, *CONTAINERS) and not output.is_dir() and not one_file:
        raise InputError(f"{output}: is the name of one image, but there are several; give a folder with -o")
    named = output if output is not None and one_file and output.suffix and not output.is_dir() else None
    if named is not None:
        check_name(named, sources[0])
        _keep_source(sources[0], named)
        return Batch((Job(sources[0], named),), ())
    notes: list[str] = []
    found = list(dict.fromkeys(_found(sources, output, naming, recursive, notes)))
    plain: dict[Path, set[Path]] = {}  # sources by the name of their results
    for source, folder in found:
        plain.setdefault(_target(source, folder, output, naming).resolve(), set()).add(source.resolve())
    jobs: dict[Path, Job] = {}
    for source, folder in found:
        target = _target(source, folder, output, naming)
        shared = naming.template is None and len(plain[target.resolve()]) > 1
        if shared and source.suffix.lower() != target.suffix.lower():
            target = _target(source, folder, output, naming, whole=True)
        job = jobs.setdefault(target.resolve(), Job(source, target))
        if job.source.resolve() != source.resolve():
            raise InputError(
                f"{target}: {job.source} and {source} would both be written there; restore them one by one"
            )
        _keep_source(source, target)
    return Batch(tuple(jobs.values()), tuple(notes))


def _target(source: Path, folder: Path, output: Path | None, naming: Naming, whole: bool = False) -> Path:
    """Where a result goes; ``folder`` is what the source's place in ``output`` is relative to."""
    if output is None:
        return source.with_name(naming.name(source, SAME_FOLDER, whole))
    return (output / source.relative_to(folder)).with_name(naming.name(source, OTHER_FOLDER, whole))


def _listed(suffixes: Iterable[str]) -> str:
    return ", ".join(suffix[1:] for suffix in suffixes)


def _keep_source(source: Path, target: Path) -> None:
    """Raise `InputError` if a result would take the place of its own source, of which there may be no other copy."""
    # Unlike that of `Path`, `os.path.exists` calls a name that is too long missing; writing it says what is wrong.
    if os.path.exists(target) and os.path.exists(source) and os.path.samefile(target, source):
        raise InputError(f"{target}: is the file to read; the result would replace it, so choose another name with -o")


def _found(
    sources: Iterable[Path], output: Path | None, naming: Naming, recursive: bool, notes: list[str]
) -> Iterator[tuple[Path, Path]]:
    """Yield every file with the folder that its place in the output is relative to."""
    sources = list(sources)
    given: dict[Path, set[str]] = {}
    for source in sources:
        given.setdefault(source.parent, set()).update((source.stem, source.name))
    for source in sources:
        if source.is_dir():
            yield from _in_folder(source, output, naming, recursive, notes)
        elif naming.is_result(source, given[source.parent]):
            notes.append(f"{source}: skipped, an earlier result")
        else:
            yield source, source.parent


def _in_folder(
    folder: Path, output: Path | None, naming: Naming, recursive: bool, notes: list[str]
) -> Iterator[tuple[Path, Path]]:
    """Yield the images of a folder that are not results."""
    stems: dict[Path, set[str]] = {}
    images: list[Path] = []
    known = suffixes_known()  # for want of a package a file fails, with its name; it is not passed over
    # Resolved: one may be relative and the other not, and results must never become sources.
    left_out = output.resolve() if output is not None and output.resolve() != folder.resolve() else None
    for path in find_images(folder, recursive, notes):
        if left_out is not None and path.parent.resolve().is_relative_to(left_out):
            continue
        if path.suffix.lower() not in known:
            named = "that of a video; give the video itself to restore it" if is_video(path) else "not that of an image"
            notes.append(f"{path}: skipped, its name is {named}")
            continue
        images.append(path)
        stems.setdefault(path.parent, set()).update((path.stem, path.name))
    made = {parent / name for parent in stems for name in made_here(parent)}
    chosen = [path for path in images if path not in made and not naming.is_result(path, stems[path.parent])]
    notes += [f"{path}: skipped, an earlier result" for path in images if path not in set(chosen)]
    if images and not chosen:
        count = f"all {len(images)} images in it are results" if len(images) > 1 else "the only image in it is a result"
        raise InputError(
            f"{folder}: {count} of earlier runs; to restore them again, name the files instead of the folder"
        )
    if not chosen:
        deeper = "" if recursive else "; --recursive also searches its folders"
        raise InputError(f"{folder}: no images in this folder ({' '.join(FORMATS)} ...){deeper}")
    yield from ((path, folder) for path in chosen)
