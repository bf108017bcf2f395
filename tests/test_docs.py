"""Every block of Python and every command line of the guides runs, in the order of its page."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair import degrade
from adair.cli.main import main

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = ["start.md", *sorted(f"guides/{page.name}" for page in (DOCS / "guides").glob("*.md")), "reference/recipes.md"]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small versions of the files that the guides speak of."""
    photo = Image.open(DOCS.parent / "examples" / "photos" / "kitten.webp").convert("RGB")
    small = photo.crop((64, 64, 160, 136))
    for name in ("photo.jpg", "reference.png", "restored.png", "holiday/1.jpg", "scans/1.png", "scans/deep/2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        small.save(tmp_path / name)
    Image.fromarray(np.asarray(small.convert("L")).astype(np.uint16) * 257).save(tmp_path / "plate.tif")
    for folder in ("clean", "frames", "pairs/old", "pairs/new"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(3):
            left, top = 40 * number, 30 * number
            crop = np.asarray(photo.crop((left, top, left + 160, top + 144)))
            if folder in ("frames", "pairs/old"):
                crop = degrade(crop, "noise(sigma=15)", seed=number)
            Image.fromarray(crop).save(tmp_path / folder / f"{number}.png")
    (tmp_path / "sets").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shortened(words: list[str]) -> list[str]:
    """The same command line with two steps of training in place of minutes."""
    if "--minutes" in words:
        at = words.index("--minutes")
        words = [*words[:at], *words[at + 2 :], "--steps", "2", "--batch", "1", "--patch", "32"]
    return words


@pytest.mark.parametrize("page", PAGES)
def test_every_block_runs(page: str, reader: Path, capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, object] = {}
    count = 0
    for language, text in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        count += 1
        if language == "python":
            exec(compile(text, page, "exec"), namespace)
            continue
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            assert words[0] == "adair", f"{page}: {line}"
            # Each page is read on its own, so the result of an earlier line may stand where this one writes.
            code = main(shortened(words[1:]))
            assert code == 0, f"{page}: {line}\n{capsys.readouterr().err}"
    assert count > 0


def test_guides_are_in_the_contents() -> None:
    contents = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [page for page in PAGES if page.removesuffix(".md") not in contents] == []
