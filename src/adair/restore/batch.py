"""Which files a command line means, and where each result goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from adair.errors import AdairError
from adair.restore.image_file import FORMATS, output_format


@dataclasses.dataclass(frozen=True)
class Job:
    """One file to restore and the file that it becomes."""

    source: Path
    output: Path


@dataclasses.dataclass(frozen=True)
class Batch:
    """Jobs in order, and what was left out of folders, one line each."""

    jobs: tuple[Job, ...]
    notes: tuple[str, ...]


def plan_batch(sources: Sequence[Path], output: Path | None, label: str, recursive: bool = False) -> Batch:
    """Find the images in ``sources`` and name their results.

    Without ``output`` a result stands beside its source as ``<name>.<label><extension>``. With one source file and an
    ``output`` that has an extension, that is the result's name; else ``output`` is a folder, in which the tree of every
    source folder is kept. Folders are searched one level deep, or all the way when ``recursive``; hidden files, files
    with other extensions and earlier results of the same label are left out of them.

    Raises:
        AdairError: a folder without images, an output that cannot be meant, or two sources with one output.
    """
    one_file = len(sources) == 1 and not sources[0].is_dir()
    if output is not None and output.suffix.lower() in FORMATS and not output.is_dir() and not one_file:
        raise AdairError(f"{output}: is the name of one image, and there are several; name a folder with -o")
    named = output if output is not None and one_file and output.suffix and not output.is_dir() else None
    if named is not None:
        output_format(named)
        return Batch((Job(sources[0], named),), ())
    jobs: dict[Path, Job] = {}
    notes: list[str] = []
    for source, folder in _found(sources, output, label, recursive, notes):
        if output is not None:
            target = output / source.relative_to(folder)
        else:
            target = source.with_name(f"{source.stem}.{label}{source.suffix}")
        job = jobs.setdefault(target.resolve(), Job(source, target))
        if job.source.resolve() != source.resolve():
            raise AdairError(f"{target}: {job.source} and {source} would both be written there; restore them apart")
    return Batch(tuple(jobs.values()), tuple(notes))


def _found(
    sources: Iterable[Path], output: Path | None, label: str, recursive: bool, notes: list[str]
) -> Iterator[tuple[Path, Path]]:
    """Yield every file with the folder that its place in the output is relative to."""
    for source in sources:
        if not source.is_dir():
            yield source, source.parent
            continue
        count = 0
        for path in sorted(source.rglob("*") if recursive else source.iterdir()):
            below = path.relative_to(source)
            if path.is_dir() or any(part.startswith(".") for part in below.parts):
                continue
            if output is not None and output.resolve() != source.resolve() and path.is_relative_to(output):
                continue
            if path.suffix.lower() not in FORMATS:
                notes.append(f"{path}: skipped, not an image by its name")
            elif path.stem.endswith(f".{label}"):
                notes.append(f"{path}: skipped, an earlier result")
            else:
                count += 1
                yield path, source
        if not count:
            deeper = "" if recursive else "; --recursive looks into its folders too"
            raise AdairError(f"{source}: no images in this folder ({' '.join(FORMATS)}){deeper}")
