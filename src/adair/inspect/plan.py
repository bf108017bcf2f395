"""From findings to a plan: which adapters to apply, in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

from adair.errors import AdairError
from adair.inspect.inspector import Finding
from adair.tasks import DAMAGES, FOUNDATION, TASKS, UNDOES, Damage

THRESHOLD = 0.7  # probability from which damage is treated: a missed one costs less than a false alarm
DOUBT = 0.3  # probability from which more damage is suspected beside some that is certain

RestorationPlan = tuple[dict[str, float], ...]
"""Blends of adapters (name to strength) to apply one after the other.

Empty: leave the image alone.
"""

MIXTURE: RestorationPlan = ({FOUNDATION: 1.0},)
"""What undoes damage that is not quite known: the foundation alone, which was trained on mixtures."""


@dataclass(frozen=True)
class Advice:
    """What was found in an image, and what to do about it."""

    findings: tuple[Finding, ...]
    plan: RestorationPlan

    @property
    def damage(self) -> tuple[Finding, ...]:
        """The findings that are certain enough to be treated."""
        return tuple(finding for finding in self.findings if finding.probability >= THRESHOLD)

    @property
    def burden(self) -> float:
        """The expected severity, summed over all kinds of damage: it should fall when damage is undone."""
        return sum(finding.probability * finding.severity for finding in self.findings)

    def any_damage(self, tasks: Collection[str]) -> float:
        """The probability of any damage that ``tasks`` undo, as if kinds were independent."""
        return 1 - prod(1 - finding.probability for finding in self.findings if finding.task in tasks)

    @property
    def main(self) -> Finding | None:
        """The most probable finding that is certain enough, if any."""
        return self.damage[0] if self.damage else None

    def __str__(self) -> str:
        steps = " then ".join("+".join(blend) for blend in self.plan) or "nothing to do"
        none = "some damage, not clear which" if self.plan else "no damage found"
        return f"{steps} ({'; '.join(map(str, self.damage)) or none})"


def advise(findings: Sequence[Finding], tasks: Collection[str], *, again: bool = False) -> Advice:
    """Choose what to do about findings (docs/inspect.md has the measurements behind the rules).

    Several kinds of damage are undone one after the other, starting with the one that happened last. There are two
    exceptions: noise is removed before the JPEG that contains it, because its adapter was trained on such files; and of
    blur and enlargement, which look alike, only the more probable one is undone.

    If more damage is suspected than is certain, or it is certain that there is some but not which, the foundation alone
    undoes all: an adapter would keep what it does not know as texture.

    Args:
        findings: what `Inspector.inspect` returned, the most probable first.
        tasks: the adapters that are available; damage without an adapter is reported and left.
        again: this is another look, after a step: what is not certain does not count.

    Raises:
        AdairError: ``tasks`` has no adapter for any kind of damage.
    """
    known = [UNDOES[damage] for damage in DAMAGES]
    if not set(known) & set(tasks):
        raise AdairError(f"task 'auto' chooses among {', '.join(known)}, but no adapter for them is loaded; add one")
    advice = Advice(tuple(findings), ())
    treated: dict[str, Finding] = {}
    for finding in advice.damage:  # the most probable first
        if finding.task in tasks:
            treated.setdefault(_kind(finding.damage), finding)
    suspected: dict[str, float] = {}
    for finding in advice.findings:
        if finding.task in tasks and (kind := _kind(finding.damage)) not in treated:
            suspected[kind] = suspected.get(kind, 0.0) + finding.probability
    doubt = max(suspected.values(), default=0) >= DOUBT if treated else advice.any_damage(tasks) >= THRESHOLD
    if doubt and not again:
        return replace(advice, plan=MIXTURE)
    return replace(advice, plan=_in_order({finding.task: 1.0} for finding in treated.values()))


def add_found(plan: RestorationPlan, found: RestorationPlan, done: RestorationPlan) -> RestorationPlan:
    """Return what is left to do after another look: one kind of damage can hide another, as noise hides rain.

    Args:
        plan: what was left to do before; it stays, also where it is no longer found: softness is hard to see in what a
            network has smoothed.
        found: what the look advises. Only damage that neither ``plan`` nor ``done`` treats is added.
        done: the steps that were tried.
    """
    if MIXTURE[0] in done:
        return plan
    treated = {_kind(_damage(blend)) for blend in (*plan, *done)}
    return _in_order((*plan, *(blend for blend in found if _kind(_damage(blend)) not in treated)))


def _in_order(steps: Iterable[dict[str, float]]) -> RestorationPlan:
    return tuple(sorted(steps, key=lambda blend: _damage(blend).undone))


def _kind(damage: Damage) -> str:
    """Return a name that damage shares with what looks like it."""
    return damage.resembles or damage.name


def _damage(blend: dict[str, float]) -> Damage:
    (task,) = blend
    damage = TASKS[task].damage
    assert damage is not None, "only tasks with a kind of damage are advised"
    return damage
