"""Tables of a page as LaTeX and CSV: nothing is lost, and special characters are escaped."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from adair.studies.page import Page, table
from adair.studies.tables import as_csv, as_latex, tables_of, write_tables
from adair.studies.verdict import HOLDS, Verdict

PAGE = Page(
    "Title",
    "Question?",
    [
        "Text.\n\n" + table(("method", "PSNR"), [["50 % & more_", 30.126], ["**b**, `c`", None]]) + "\nMore text.\n",
        table(("x", "y", "z"), [["-", 1.0, "+0.5"]]),
    ],
    [Verdict("A beats B", HOLDS, "0.30 dB")],
)


def test_every_table_is_found_with_the_figures_of_the_page() -> None:
    first, second, verdicts = tables_of(PAGE)
    assert first == [["method", "PSNR"], ["50 % & more_", "30.13"], ["b, c", ""]]
    assert second[1] == ["-", "1.00", "+0.5"]
    assert verdicts == [["Claim", "Verdict", "Because"], ["A beats B", HOLDS, "0.30 dB"]]


def test_figures_stand_right_and_words_left() -> None:
    whole = table(
        ("setting", "what is new", "PSNR", "gain"),
        [["x2", "kernel", 30.0, "+0.10 (0.00 to 0.20)"], ["", "blur", None, "-1"]],
    )
    assert whole.splitlines()[1] == "| --- | --- | ---: | ---: |"
    assert as_latex([["a", "b", "c"], ["x2", "-0.5", "many"]]).startswith(r"\begin{tabular}{lrl}")
    assert as_latex([["a", "b"]]).startswith(r"\begin{tabular}{rr}")  # a column for each heading, without rows, too


def test_csv_reads_back_and_latex_is_escaped(tmp_path: Path) -> None:
    first = tables_of(PAGE)[0]
    assert list(csv.reader(io.StringIO(as_csv(first)))) == first
    assert r"  50 \% \& more\_ & 30.13 \\" in as_latex(first).splitlines()
    assert as_latex(first).startswith(r"\begin{tabular}{lr}")
    write_tables("one", PAGE, tmp_path / "tex", tmp_path / "csv")
    names = sorted(path.name for path in tmp_path.rglob("*.*"))
    assert names == sorted(f"one-{part}.{kind}" for part in ("1", "2", "verdicts") for kind in ("csv", "tex"))
