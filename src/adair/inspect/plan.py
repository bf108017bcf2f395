"""From findings to what to do: which adapters, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from adair.errors import AdairError
from adair.inspect.inspector import Finding
from adair.inspect.kinds import KINDS

THRESHOLD = 0.7  # probability from which on a damage is treated: to leave one costs less than to see one that is not
# In which tasks are done: what befell the photo last comes first, but for noise before the JPEG that it is in.
ORDER = ("denoise", "dejpeg", "deblur", "sr", "derain")
SOFT = {"deblur", "sr"}  # tasks of which one image needs one at most

RestorationPlan = tuple[dict[str, float], ...]
"""Blends of adapters (name to strength) to apply one after the other.

Empty: leave the image alone.
"""


@dataclass(frozen=True)
class Advice:
    """What was found in an image, and what to do about it."""

    findings: tuple[Finding, ...]
    plan: RestorationPlan

    @property
    def damage(self) -> tuple[Finding, ...]:
        """The findings that are certain enough to count as there."""
        return tuple(finding for finding in self.findings if finding.probability >= THRESHOLD)

    @property
    def burden(self) -> float:
        """The severity to be expected, over all kinds: what should fall when a damage is undone."""
        return sum(finding.probability * finding.severity for finding in self.findings)

    @property
    def main(self) -> Finding | None:
        """The main damage: the most probable finding that counts as there, if any."""
        return self.damage[0] if self.damage else None

    def __str__(self) -> str:
        steps = " then ".join("+".join(blend) for blend in self.plan) or "nothing to do"
        return f"{steps} ({'; '.join(map(str, self.damage)) or 'no damage found'})"


def advise(findings: Sequence[Finding], tasks: Collection[str]) -> Advice:
    """Choose what to do about findings.

    Several kinds of damage are undone one after the other, the last to befall the image first. Two exceptions: noise is
    removed before the JPEG that it is in, since the adapter for noise knows files; and of blur and enlargement, which
    look alike, only the more probable one is undone. The figures behind this are in docs/inspect.md.

    Args:
        findings: what `Inspector.inspect` returned, the most probable first.
        tasks: the adapters there are; a damage without its adapter is reported and left.

    Raises:
        AdairError: ``tasks`` holds no adapter for any kind of damage.
    """
    known = [kind.task for kind in KINDS]
    if not set(known) & set(tasks):
        raise AdairError(f"task 'auto' chooses among {', '.join(known)}, and none of them is at hand; add an adapter")
    advice = Advice(tuple(findings), ())
    treated = [finding.kind.task for finding in advice.damage if finding.kind.task in tasks]
    if set(treated) >= SOFT:
        treated.remove(max(SOFT, key=treated.index))
    steps = [{task: 1.0} for task in ORDER if task in treated]
    return replace(advice, plan=tuple(steps))
