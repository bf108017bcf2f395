"""The paper's experiments: studies by name, each with a question, jobs, and a page of results."""

from __future__ import annotations

from adair.errors import AdairError
from adair.studies import adapters, backbones, baselines, curves, schemes, strategies, unseen
from adair.studies.study import Study

STUDIES: dict[str, Study] = {
    module.STUDY.name: module.STUDY for module in (strategies, baselines, unseen, curves, schemes, adapters, backbones)
}


def find_studies(name: str, given: bool = False) -> list[Study]:
    """Return the study of that name, or all of them for "all".

    Args:
        name: of the study.
        given: whether they are to begin from a foundation that is given.

    Raises:
        AdairError: an unknown name, or a study that has to pre-train its own foundations.
    """
    possible = [study.name for study in STUDIES.values() if not (given and study.pretrains)]
    if name == "all":
        return [STUDIES[one] for one in possible]
    if name not in STUDIES:
        raise AdairError(f"unknown study '{name}'; choose one of {', '.join(STUDIES)}, or all")
    if name not in possible:
        raise AdairError(f"{name}: pre-trains its own foundations; one can be given to {', '.join(possible)}")
    return [STUDIES[name]]
