"""Task "auto" for videos: one decision for all frames, from a few of them, so that nothing switches on and off."""

from __future__ import annotations

from collections.abc import Sequence

from adair.images.image_file import ImageFile
from adair.inspect import MIXTURE, Advice, Finding
from adair.restore.options import RestoreOptions
from adair.restore.restoration import FileRestorer
from adair.restore.tasks import Blend
from adair.tasks import DAMAGES, UNDOES

SAMPLES = 7  # frames from all over the video


def choose_for_all(restorer: FileRestorer, options: RestoreOptions, pictures: Sequence[ImageFile]) -> Advice:
    """Return what task "auto" does to more than half of the frames, with the mean of its findings.

    If it does something to more than half of them, but not the same, the foundation alone undoes all.

    Args:
        restorer: treats every frame like a photo.
        options: with task "auto".
        pictures: some frames of one video, at least one.
    """
    whole = RestoreOptions(options.task, tile=options.tile, ensemble=options.ensemble)
    advice = [restorer.run(picture, whole).advice[0] for picture in pictures]
    wanted = [step for one in advice for step in one.plan]
    agreed: list[Blend] = []
    for step in wanted:
        if step not in agreed and 2 * wanted.count(step) > len(advice):
            agreed.append(step)
    if not agreed and 2 * sum(bool(one.plan) for one in advice) > len(advice):
        agreed = list(MIXTURE)
    order = {UNDOES[damage]: damage.undone for damage in DAMAGES}
    agreed.sort(key=lambda step: order.get(next(iter(step)), -1))  # the foundation alone comes first
    return Advice(_means(advice), tuple(agreed))


def _means(advice: Sequence[Advice]) -> tuple[Finding, ...]:
    """Return the mean probability and level of each kind of damage, the most probable first."""
    means = []
    for damage in DAMAGES:
        found = [finding for one in advice for finding in one.findings if finding.damage == damage]
        if found:
            chance = sum(finding.probability for finding in found) / len(found)
            level = sum(finding.level for finding in found) / len(found)
            means.append(Finding(damage, chance, level))
    return tuple(sorted(means, key=lambda finding: -finding.probability))
