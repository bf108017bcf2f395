"""The page, the table and the plots."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adair.bench.plots import apart, plot
from adair.bench.report import as_markdown, print_rows, tables
from adair.bench.rows import Journal, Row, read_rows
from adair.bench.suites import SUITES
from adair.errors import AdairError

DENOISE = SUITES["denoise"]


def row(method: str, psnr: float | None, setting: str = "sigma 25", **more: object) -> Row:
    facts = {
        "ssim": 0.8,
        "protocol": f"RGB; noise of {setting.removeprefix('sigma ')}; 8 bits",
        "machine": "a machine",
        **more,
    }
    return Row("denoise", "CBSD68", setting, method, psnr, **facts)  # type: ignore[arg-type]


ROWS = [
    row("input", 20.18, kind="input", images=68),
    row("foundation", 29.6, images=68, seconds_per_megapixel=3.0, peak_mb=120.4),
    row("BM3D", 30.5, kind="baseline", images=60, seconds_per_megapixel=70.0, peak_mb=300.0, note="told sigma"),
    row("SwinIR", 31.78, kind="published", published=True, ssim=None, protocol="as printed, somewhere", machine=""),
    row("foundation", 26.5, "sigma 50", images=68, seconds_per_megapixel=5.0, peak_mb=130.6),
    row("foundation", 26.0, "sigma 50 clipped", images=68, seconds_per_megapixel=5.0),
]


def test_a_table_for_each_family() -> None:
    assert {title: len(part) for title, part in tables(DENOISE, ROWS).items()} == {
        "denoise, CBSD68, noise not clipped": 5,
        "denoise, CBSD68, noise clipped": 1,
    }


def test_the_page() -> None:
    page = as_markdown(DENOISE, ROWS, {"Urban100": "get it"}, {"denoise, CBSD68, noise clipped": "plots/a.png"})
    lines = page.splitlines()
    assert "| method | sigma 25 | sigma 50 | s/MP | MB | images |" in lines
    assert "| input | 20.18 / 0.8000 |  |  |  | 68 |" in lines
    assert "| foundation | 29.60 / 0.8000 | 26.50 / 0.8000 | 4.00 | 131 | 68 |" in lines
    assert "| BM3D | **30.50** / 0.8000 |  | 70.00 | 300 | 60 |" in lines
    assert "| *SwinIR* | *31.78* |  |  |  |  |" in lines  # published: neither bold nor in the race for it
    assert "Protocol: RGB; 8 bits." in lines and "- sigma 50: noise of 50." in lines
    assert "Protocol: RGB; noise of 50 clipped; 8 bits." in lines and "- SwinIR: as printed, somewhere." in lines
    assert "- BM3D: told sigma." in lines and "- Not measured: Urban100 (get it)." in lines
    assert "Measured on a machine" in page and "](plots/a.png)" in page
    assert "adair bench --data" in page


def test_many_settings_go_below_each_other() -> None:
    unseen = [s for s in SUITES["unseen"] if s.dataset == "Kodak24"]
    rows = [Row("unseen", "Kodak24", s.name, m, 20.0, None, "RGB") for s in unseen for m in ("input", "foundation")]
    assert "| setting | input | foundation |" in as_markdown(unseen, rows, {}, {}).splitlines()


def test_a_row_without_a_number_is_no_obstacle() -> None:
    rows = [row("input", None, kind="input"), row("foundation", None)]
    assert "| foundation |  / 0.8000 |" in as_markdown(DENOISE, rows, {}, {})


def test_rows_of_one_setting_stand_together(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([row(method, 20, setting) for method in ("input", "foundation") for setting in ("a, Y", "a, RGB")])
    lines = capsys.readouterr().out.splitlines()[1:5]
    assert ["input" in line for line in lines] == [True, False, True, False]
    assert "a, Y" in lines[0] and "a, RGB" in lines[2]


def test_the_table_in_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS)
    text = capsys.readouterr().out
    assert "SwinIR, published" in text and "[1] RGB; noise of 25; 8 bits" in text and "as printed, somewhere" in text
    assert len([line for line in text.splitlines() if line.startswith("CBSD68")]) == 3


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=10).map(sorted))
def test_labels_do_not_cover_each_other(places: list[float]) -> None:
    moved = apart(places, 0.05)
    assert all(second - first >= 0.05 - 1e-9 for first, second in pairwise(moved))
    assert min(moved) >= -1e-9 and max(moved) <= 1 + 1e-9
    far = [place * 0.5 for place in range(2)]
    assert apart(far, 0.05) == far


def test_plots() -> None:
    pytest.importorskip("matplotlib")
    picture = plot("denoise, CBSD68, noise not clipped", ROWS[:5])
    assert picture is not None and picture.startswith(b"\x89PNG")
    assert plot("nothing has a time", ROWS[:1]) is None
    assert plot("too many settings", [row("foundation", 20, str(n), seconds_per_megapixel=1) for n in range(5)]) is None


def test_plots_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(AdairError, match=r"adair\[bench\]"):
        plot("title", ROWS)


def test_a_published_row_does_not_replace_a_measured_one_of_the_same_name(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "rows.json")
    journal.add([row("BM3D", 30.83, kind="baseline")])
    journal.add([row("BM3D", 30.71, kind="published", published=True)])
    assert [(one.psnr, one.published) for one in read_rows(tmp_path / "rows.json")] == [(30.83, False), (30.71, True)]


def test_rows_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """Their kind of other tools was "peer"."""
    old = asdict(row("BM3D", 30.83, kind="baseline")) | {"kind": "peer"}
    (tmp_path / "rows.json").write_text(json.dumps([old]))
    assert read_rows(tmp_path / "rows.json") == [row("BM3D", 30.83, kind="baseline")]


def test_the_page_of_the_documentation_follows_from_its_rows() -> None:
    """docs/benchmarks.md has no figure that docs/benchmarks.json lacks, and none by hand."""
    docs = Path(__file__).resolve().parents[2] / "docs"
    rows = read_rows(docs / "benchmarks.json")
    assert rows
    places = [setting for suite in SUITES.values() for setting in suite]
    fresh = as_markdown(places, rows, {}, {})
    facts = ("![PSNR", "- Not measured: ")  # plots, and what the machine that measured did not have
    printed = [line for line in (docs / "benchmarks.md").read_text().splitlines() if not line.startswith(facts)]
    assert [line for line in printed if line] == [line for line in fresh.splitlines() if line]
