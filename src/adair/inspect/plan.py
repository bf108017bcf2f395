"""From findings to what to do: which adapters, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from adair.errors import AdairError
from adair.inspect.inspector import Finding
from adair.inspect.kinds import KINDS

THRESHOLD = 0.5  # probability from which on a damage is treated

Plan = tuple[dict[str, float], ...]
"""Blends of adapters (name to strength) to apply one after the other; empty: leave the image alone."""


@dataclass(frozen=True)
class Advice:
    """What was found in an image, and what to do about it."""

    findings: tuple[Finding, ...]
    plan: Plan

    @property
    def damage(self) -> tuple[Finding, ...]:
        """The findings that count as there."""
        return tuple(finding for finding in self.findings if finding.probability >= THRESHOLD)

    @property
    def main(self) -> Finding | None:
        """The main damage: the most probable finding that counts as there, if any."""
        return self.damage[0] if self.damage else None

    def __str__(self) -> str:
        steps = " then ".join("+".join(blend) for blend in self.plan) or "nothing to do"
        return f"{steps} ({'; '.join(map(str, self.damage)) or 'no damage found'})"


def advise(findings: Sequence[Finding], tasks: Collection[str]) -> Advice:
    """Choose what to do about findings.

    Args:
        findings: what `Inspector.inspect` returned.
        tasks: the adapters there are; a damage without its adapter is reported and left.

    Raises:
        AdairError: ``tasks`` holds no adapter for any kind of damage.
    """
    known = [kind.task for kind in KINDS]
    if not set(known) & set(tasks):
        raise AdairError(f"task 'auto' chooses among {', '.join(known)}, and none of them is at hand; add an adapter")
    advice = Advice(tuple(findings), ())
    treated = [finding.kind for finding in advice.damage if finding.kind.task in tasks]
    return replace(advice, plan=tuple({kind.task: 1.0} for kind in treated))
