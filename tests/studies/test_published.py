"""No page of a study says more than its results, and none is older than the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adair.studies import STUDIES
from adair.studies.workspace import FORMAT

PAGES = Path(__file__).resolve().parents[2] / "docs" / "studies"


@pytest.mark.parametrize("name", STUDIES)
def test_a_page_has_the_results_that_it_speaks_of(name: str) -> None:
    page, results = PAGES / f"{name}.md", PAGES / f"{name}.json"
    if not page.exists():
        assert not results.exists(), f"{results} belongs to no page"
        return
    found = json.loads(results.read_text(encoding="utf-8"))
    assert found["format"] == FORMAT, f"{page} is older than the code: make it anew or remove it"
    (study,) = found["studies"]
    text = page.read_text(encoding="utf-8")
    for verdict in study["verdicts"]:
        assert f"| {verdict['claim']} | **{verdict['outcome']}** | {verdict['why']} |" in text


def test_nothing_else_lies_there() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} <= {*STUDIES, "README"}
