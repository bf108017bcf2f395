"""What a user asks for ("denoise", a blend, a scale), checked and made plain."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from adair.adapters import check_strength
from adair.errors import InputError
from adair.tasks import TASKS, canonical_name

FOUNDATION = "foundation"  # the frozen network alone
AUTO = "auto"  # whatever the image needs
UPSCALING = "sr"
SCALES = TASKS[UPSCALING].scales


def parse_task(task: str | Mapping[str, float], known: Collection[str]) -> dict[str, float]:
    """Return the adapters that ``task`` asks for with their strengths; none for the foundation alone.

    Args:
        task: a name; a blend as a mapping, or written ``denoise=0.7,dejpeg=0.3``; or "foundation".
        known: the names there are.

    Raises:
        InputError: no name, an unknown one (the nearest is suggested), or a strength that is no number from 0 to 2.
    """
    blend = _parse_blend(task) if isinstance(task, str) else dict(task)
    # An alias asks for its task, unless an adapter of the user's own has that name.
    asked, blend = blend, {}
    for name, strength in asked.items():
        task_name = name if name in known else canonical_name(str(name))
        if task_name in blend:
            raise InputError(f"task '{task_name}' is named twice ('{name}' is another name for it)")
        blend[task_name] = strength
    if not blend:
        raise InputError(f"no task named; known: {', '.join([*known, AUTO, FOUNDATION])}")
    for name in blend:
        if name == AUTO:
            raise InputError(f"task '{AUTO}' chooses adapters and strengths itself; name it alone, or leave it out")
        if name not in known and name != FOUNDATION:
            near = difflib.get_close_matches(str(name), [*known, AUTO, FOUNDATION], n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise InputError(
                f"unknown task '{name}'; {hint}known: {', '.join([*known, AUTO, FOUNDATION])}; "
                "others are files of their own (--adapter FILE)"
            )
    strengths = {name: check_strength(name, strength) for name, strength in blend.items()}
    return {name: strength for name, strength in strengths.items() if name != FOUNDATION}


def check_scale(scale: int | None, tasks: Collection[str]) -> int:
    """Return how many times larger the result is: ``scale`` for super-resolution (2 unless given), else 1.

    Super-resolution with scale 1 sharpens an image that was enlarged before.

    Raises:
        InputError: a scale that is not offered, or one given to a task that does not enlarge.
    """
    if UPSCALING not in tasks:
        if scale not in (None, 1):
            raise InputError(f"scale {scale}: only task '{UPSCALING}' enlarges; leave the scale out or use it")
        return 1
    if scale is None:
        return SCALES[0]
    if scale not in (1, *SCALES):
        offered = ", ".join(map(str, SCALES))
        raise InputError(f"scale {scale}: task '{UPSCALING}' offers {offered}; 1 is for images enlarged already")
    return int(scale)


def _parse_blend(text: str) -> dict[str, float]:
    if not text.strip():
        return {}
    if "=" not in text and "," not in text:
        return {text.strip(): 1.0}
    blend: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        try:
            strength = float(value) if equals else 1.0
        except ValueError:
            raise InputError(f"task '{text}': '{value}' is not a number; write denoise=0.7,dejpeg=0.3") from None
        if not name or name in blend:
            what = f"names '{name}' twice" if name else "has a part without a name"
            raise InputError(f"task '{text}': {what}; write denoise=0.7,dejpeg=0.3")
        blend[name] = strength
    return blend
