"""Findings, plans and times as text."""

from __future__ import annotations

import shlex

from adair.inspect import Advice, Finding
from adair.restore import RestoreOptions
from adair.tasks import FOUNDATION, UNDOES

_REMEDIES = {task: damage.remedy for damage, task in UNDOES.items()}
_REMEDIES[FOUNDATION] = "undo all of it in one pass"


def describe(advice: Advice) -> str:
    """Return what seems wrong with a photo and what task "auto" would do, as two short sentences."""
    if not advice.damage and not advice.plan:
        return "Nothing seems wrong with this photo. Auto would leave it as it is."
    found = "; ".join(_finding(one) for one in advice.damage) or "some damage, though it is not clear which"
    steps = [" and ".join(_REMEDIES.get(name, name) for name in blend) for blend in advice.plan]
    return f"This photo seems to have {found}. Auto would {', then '.join(steps) or 'leave it as it is'}."


def _finding(one: Finding) -> str:
    how_bad = "a little" if one.severity < 0.25 else "some" if one.severity < 0.6 else "much"
    name = one.damage.description.format(level=one.amount)
    amount = "" if "{level}" in one.damage.description else f"{how_bad} "
    sure = "" if one.probability >= 0.9 else " (probably)" if one.probability >= 0.7 else " (perhaps)"
    return f"{amount}{name}{sure}"


def command_line(name: str, options: RestoreOptions, mask: str = "mask.png") -> str:
    """Return the command that gives the same pixels; ``mask`` is the name of the mask's file, if there is one.

    >>> command_line("my photo.jpg", RestoreOptions("dejpeg > denoise", strength=0.5))
    "adair restore 'my photo.jpg' --task 'dejpeg > denoise' --strength 0.5"
    """
    words = ["adair", "restore", name, "--task", str(options.task)]
    words += ["--scale", str(options.scale)] if options.scale is not None else []
    for amount in ("strength", "luma", "colour"):
        value = getattr(options, amount)
        words += [f"--{amount}", f"{value:g}"] if value != 1 else []
    words += ["--mask", mask] if options.mask else []
    return shlex.join(words)


def duration(seconds: float) -> str:
    """Return a time as text.

    >>> duration(0.2), duration(75), duration(4000)
    ('1 s', '1 min 15 s', '1 h 6 min')
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
