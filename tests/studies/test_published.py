"""No page of a study says more than its results, and none is older than the code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adair.errors import AdairError
from adair.studies import STUDIES
from adair.studies.budget import Budget, sized
from adair.studies.report import read_json, write_json, write_page
from adair.studies.runner import in_order, work_off
from adair.studies.study import Results
from adair.studies.workspace import Workspace

PAGES = Path(__file__).resolve().parents[2] / "docs" / "studies"


@pytest.mark.parametrize("name", STUDIES)
def test_a_page_has_the_results_that_it_speaks_of(name: str, workspace: Workspace) -> None:
    page, results = PAGES / f"{name}.md", PAGES / f"{name}.json"
    if not page.exists():
        assert not results.exists(), f"{results} belongs to no page"
        return
    recorded, verdicts = read_json(results, workspace)[name]
    seed = json.loads(results.read_text(encoding="utf-8"))["seed"]
    assert STUDIES[name].report(recorded, seed).verdicts == verdicts
    text = page.read_text(encoding="utf-8")
    for verdict in verdicts:
        assert f"| {verdict.claim} | **{verdict.outcome}** | {verdict.why} |" in text


def test_nothing_else_lies_there() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} <= {*STUDIES, "README"}


def test_verdicts_follow_from_the_json_alone(
    make_workspace: Callable[..., Workspace], tiny: Budget, tmp_path: Path
) -> None:
    workspace, study, path = make_workspace(), STUDIES["backbones"], tmp_path / "backbones.json"
    budget = sized(tiny, steps=3, images=1)
    work_off(in_order(study.jobs(budget, 0), workspace), workspace)
    results = Results(workspace, budget)
    page = study.report(results, 0)
    write_json(path, [(study, page)], results, 0)
    recorded, verdicts = read_json(path, make_workspace("elsewhere"))["backbones"]
    again = study.report(recorded, 0)
    assert again.verdicts == verdicts == page.verdicts
    assert [part for part in again.parts if isinstance(part, str)] == [p for p in page.parts if isinstance(p, str)]
    write_page(study, page, results, 0, tmp_path / "page.md", None)
    assert "`adair study backbones --budget tiny --steps 3 --images 1 --seed 0" in (tmp_path / "page.md").read_text()
    whole = json.loads(path.read_text())
    for change in ({"format": 1}, {"budget": {**whole["budget"], "patch": 32}}):
        path.write_text(json.dumps({**whole, **change}))
        with pytest.raises(AdairError, match="older than the code"):
            read_json(path, workspace)
