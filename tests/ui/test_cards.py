from __future__ import annotations

from adair.restore.library import AdapterInfo
from adair.ui.cards import COLUMNS, card_rows


def rows(card: dict[str, object]) -> dict[str, str]:
    (row,) = card_rows({"denoise": AdapterInfo("denoise", None, "merge", 10, 1_500_000, card)})
    return dict(zip(COLUMNS, row, strict=True))


def test_a_card_as_we_write_it() -> None:
    measured = [{"dataset": "CBSD68", "setting": "sigma 15", "adapter": 33.591}, "no figure"]
    row = rows({"recipe": "noise(sigma=25)", "licence": "Apache-2.0", "measured": measured})
    assert row["What it does"].startswith("removes noise as it is in photos")
    assert row["Size"] == "1.50 MB"
    assert row["Measured"] == "CBSD68, sigma 15: 33.59 dB"


def test_validation_where_nothing_was_measured() -> None:
    assert rows({"validation": {"restored": {"x2": 30.5}}})["Measured"] == "x2: 30.5 dB"


def test_cards_of_strangers_are_bounded() -> None:
    row = rows({"recipe": "x\n" * 5000, "measured": {"a": 1}, "licence": ["?"], "validation": 3})
    assert all(len(text) <= 240 and "\n" not in text for text in row.values())
