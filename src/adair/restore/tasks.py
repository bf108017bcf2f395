"""Parsing of tasks: "denoise", the sequence "dejpeg > denoise", the blend "denoise=0.7,dejpeg=0.3".

Every task becomes a list of steps: blends of adapters that are applied one after the other.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence

from adair.errors import InputError
from adair.tasks import FOUNDATION, SUM_LIMIT, TASKS, ZOO, canonical_name, check_strength

AUTO = "auto"  # whatever the image needs
UPSCALING = "sr"
SCALES = TASKS[UPSCALING].scales
MOST_STEPS = 8
THEN = ">"  # as in recipes of degradations
OTHER_ADAPTERS = "; other adapters are files (--adapter FILE)"  # advice that a client of the server cannot follow
_AUTO_AMONG_OTHERS = f"task '{AUTO}' chooses adapters and strengths itself; use it alone, or leave it out"

Blend = dict[str, float]
"""Adapters with their strengths, added to one network; empty for the foundation alone."""

Steps = tuple[Blend, ...]
"""Blends that are applied one after the other."""

TaskSpec = str | Mapping[str, float] | Sequence[str | Mapping[str, float]]
"""What a user may ask for: text, a blend as a mapping, or a sequence of both."""


def parse_task(task: TaskSpec, known: Collection[str]) -> Steps:
    """Return the steps that ``task`` asks for.

    Args:
        task: a name; "foundation"; a blend, as a mapping or written ``denoise=0.7,dejpeg=0.3``; a sequence of these,
            as a list or written ``dejpeg > denoise``, the first to be applied first.
        known: the names of all adapters; an alias (`adair.tasks`) stands for its task unless it is one of these names.

    Raises:
        InputError: no name, an unknown name (the nearest is suggested), a strength that is not a number from 0 to 1, a
            blend whose strengths add up to more than 1, a list of names without strengths, "auto" among others.
    """
    steps = tuple(_checked(blend, task, known) for blend in _steps(task) or [{}])
    if len(steps) > MOST_STEPS:
        raise InputError(f"task {_shown(task)}: has {len(steps)} steps; {MOST_STEPS} at most")
    if sum(UPSCALING in blend for blend in steps) > 1:
        raise InputError(f"task {_shown(task)}: contains '{UPSCALING}' twice; enlarge once, with a larger scale")
    return steps


def is_auto(task: TaskSpec) -> bool:
    """Whether ``task`` leaves the choice to the restorer."""
    return isinstance(task, str) and task.strip() == AUTO


def check_scale(scale: int | None, steps: Steps) -> int:
    """Return how many times larger the result is: ``scale`` for super-resolution (2 unless given), else 1.

    Super-resolution with scale 1 sharpens an image that was enlarged before.

    Raises:
        InputError: a scale that is not offered, or one given to a task that does not enlarge.
    """
    if not any(UPSCALING in blend for blend in steps):
        if scale not in (None, 1):
            raise InputError(f"scale {scale}: only task '{UPSCALING}' enlarges; omit the scale or use that task")
        return 1
    if scale is None:
        return SCALES[0]
    if isinstance(scale, bool) or scale not in (1, *SCALES):
        offered = ", ".join(map(str, SCALES))
        raise InputError(f"scale {scale}: task '{UPSCALING}' offers {offered}; 1 is for images enlarged already")
    return int(scale)


def label_of(steps: Steps) -> str:
    """Return a short label that can be part of a file name: "denoise", "denoise0.7+dejpeg0.3", "dejpeg_denoise"."""
    return "_".join(
        "+".join(name if strength == 1 else f"{name}{strength:g}" for name, strength in blend.items()) or FOUNDATION
        for blend in steps
    )


def _steps(task: object) -> list[Blend]:
    """Return the steps as written, with names and numbers not yet checked."""
    if isinstance(task, str):
        return [_parse_blend(part, task) for part in task.split(THEN)] if task.strip() else []
    if isinstance(task, Mapping):
        return [dict(task)]
    if isinstance(task, Sequence) and all(isinstance(part, (str, Mapping)) for part in task):
        return [blend for part in task for blend in _steps(part) or [{}]]
    raise InputError(
        f"task {_shown(task)}: is a {type(task).__name__}; give a name, a blend such as {{'denoise': 0.7}}, or a list"
    )


def _parse_blend(text: str, task: str) -> Blend:
    parts = [[piece.strip() for piece in part.partition("=")] for part in text.split(",")]
    names = [name for name, _, _ in parts]
    if not all(names):
        raise InputError(f"task '{task}': has a part without a name; write denoise=0.7,dejpeg=0.3 or dejpeg > denoise")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"task '{task}': contains '{twice}' twice; write denoise=0.7,dejpeg=0.3")
    if len(parts) > 1 and AUTO in names:
        raise InputError(_AUTO_AMONG_OTHERS)
    if len(parts) > 1 and not all(equals for _, equals, _ in parts):
        equal = ",".join(f"{name}={1 / len(names):.2g}" for name in names)
        raise InputError(
            f"task '{task}': write '{f' {THEN} '.join(names)}' for one after the other, "
            f"or '{equal}' for a blend in one network"
        )
    return {name: _number(value, task) if equals else 1.0 for name, equals, value in parts}


def _number(text: str, task: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"task '{task}': '{text}' is not a number; write denoise=0.7,dejpeg=0.3") from None


def _checked(blend: Blend, task: object, known: Collection[str]) -> Blend:
    """Check the names and strengths of one step, and drop the foundation, which is part of every blend."""
    names = [*known, AUTO, FOUNDATION]
    if not blend:
        raise InputError(f"no task named; known: {', '.join(names)}")
    asked, blend = blend, {}
    for alias, strength in asked.items():
        name = alias if alias in known else canonical_name(str(alias))
        if name in blend:
            raise InputError(f"task '{name}' is given twice ('{alias}' is another name for it)")
        blend[name] = strength
    for name in blend:
        if name == AUTO and isinstance(task, str) and is_auto(task):
            raise InputError(f"task '{AUTO}' chooses adapters for each image, which is not possible here; name a task")
        if name == AUTO:
            raise InputError(_AUTO_AMONG_OTHERS)
        if name not in known and name in ZOO:
            raise InputError(
                f"task '{name}' is in the zoo, which is not installed; in a checkout, or where ADAIR_ZOO names a copy, "
                f"--adapter zoo/{name} uses its file, and 'pip install packaging/adair-zoo' in a checkout installs all"
            )
        if name not in known and name != FOUNDATION:
            near = difflib.get_close_matches(str(name), names, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise InputError(f"unknown task '{name}'; {hint}known: {', '.join(names)}{OTHER_ADAPTERS}")
    strengths = {name: check_strength(name, strength) for name, strength in blend.items()}
    chosen = {name: strength for name, strength in strengths.items() if name != FOUNDATION}
    if (total := sum(chosen.values())) > SUM_LIMIT + 1e-6:
        smaller = ",".join(f"{name}={strength / total:.2g}" for name, strength in chosen.items())
        raise InputError(
            f"task {_shown(task)}: strengths in a blend add up to {total:g}, more than {SUM_LIMIT:g}; "
            f"write '{smaller}', or '{f' {THEN} '.join(chosen)}' for one after the other"
        )
    return chosen


def _shown(task: object) -> str:
    return f"'{task}'" if isinstance(task, str) else repr(task)[:80]
