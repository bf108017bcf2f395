"""``adair compare``: numbers for people and programs, the page, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.cli.main import main


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    pixels = np.random.default_rng(0).integers(0, 200, (30, 40, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "clean.png")
    Image.fromarray(pixels + 10).save(tmp_path / "other.png")
    return str(tmp_path / "clean.png"), str(tmp_path / "other.png")


def test_numbers_for_people(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *pair]) == 0
    text = capsys.readouterr().out
    assert "clean.png: 40x30, RGB, 8 bits" in text and "10 of 255" in text
    assert "28.13 dB" in text and "MATLAB's Y" in text and "100 %" in text


def test_numbers_for_programs(pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "new" / "page.html"
    assert main(["compare", *pair, "--json", "--crop", "2", "--html", str(page)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["psnr_rgb"] == pytest.approx(28.1308, abs=1e-3) and facts["crop"] == 2 and not facts["identical"]
    assert facts["reference"] == {"file": pair[0], "bits": 8, "channels": 3, "alpha": False}
    assert set(facts["protocols"]) <= set(facts) and facts["page"] == str(page)
    text = page.read_text(encoding="utf-8")
    assert "28.13 dB" in text and "clean.png" in text and str(tmp_path) not in text


def test_json_knows_no_infinity(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", pair[0], pair[0], "--json"]) == 0
    facts = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert facts["identical"] and facts["psnr_rgb"] is None


def test_files_of_one_name_are_told_apart(pair: tuple[str, str], tmp_path: Path) -> None:
    for name, source in zip(("target", "input"), pair, strict=True):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(Path(source).read_bytes())
    words = ["compare", str(tmp_path / "target/1.png"), str(tmp_path / "input/1.png")]
    assert main([*words, "--html", str(tmp_path / "page.html")]) == 0
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Reference: target/1.png" in text and "Image: input/1.png" in text


def test_a_page_is_never_replaced_unasked(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine")
    assert main(["compare", *pair, "--html", str(page)]) == 2
    assert "--overwrite" in capsys.readouterr().err and page.read_text() == "mine"
    assert main(["compare", *pair, "--html", str(page), "--overwrite"]) == 0
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_bad_input_is_one_line(pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (20, 15)).save(tmp_path / "small.png")
    (tmp_path / "text.png").write_text("words")
    for other, expected in [
        ("small.png", "the reference is 40x30, the image 20x15; enlarge"),
        ("text.png", "not an image"),
        ("none.png", "not found"),
    ]:
        assert main(["compare", pair[0], str(tmp_path / other), "--html", str(tmp_path / "page.html")]) == 2
        error = capsys.readouterr().err
        assert expected in error and other in error and error.count("\n") == 1
    assert main(["compare", *pair, "--crop", "15"]) == 2
    assert "leaves nothing" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()
