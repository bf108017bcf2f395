"""The paper's experiments: studies by name, each with a question, jobs, and a page of results."""

from __future__ import annotations

from adair.errors import AdairError
from adair.studies import adapters, backbones, schemes, strategies, unseen
from adair.studies.study import Study

STUDIES: dict[str, Study] = {
    study.name: study for study in (strategies.STUDY, unseen.STUDY, schemes.STUDY, adapters.STUDY, backbones.STUDY)
}


def find_studies(name: str) -> list[Study]:
    """Return the study of that name, or all of them for "all".

    Raises:
        AdairError: an unknown name.
    """
    if name == "all":
        return list(STUDIES.values())
    if name not in STUDIES:
        raise AdairError(f"unknown study '{name}'; choose one of {', '.join(STUDIES)}, or all")
    return [STUDIES[name]]
