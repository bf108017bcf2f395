"""What the README and the demo promise exists: commands, options, files, recipes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from adair.cli.main import COMMANDS, main
from adair.degradations import parse_recipe

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [
    shlex.split(line, comments=True)[1:]
    for line in re.sub(r"\\\n\s*", "", README).splitlines()
    if re.match(r"adair [a-z]", line)
]


def test_readme_shows_command_lines() -> None:
    assert len(LINES) >= 5


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_commands_and_options_in_the_readme_exist(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert words[0] in COMMANDS
    assert main([words[0], "--help"]) == 0
    options = re.findall(r"(?<![\w-])--?[a-z][a-z-]*", capsys.readouterr().out)
    assert {word for word in words if word.startswith("-")} <= set(options)


def test_recipes_in_the_readme_parse() -> None:
    recipes = [words[words.index("--recipe") + 1] for words in LINES if "--recipe" in words]
    assert len(recipes) >= 1
    for recipe in recipes:
        parse_recipe(recipe)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_linked_files_exist(page: str) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_demo_photos_are_small_and_their_origin_is_told() -> None:
    photos = sorted((ROOT / "examples" / "photos").glob("*.webp"))
    notice = (ROOT / "examples" / "photos" / "NOTICE.md").read_text(encoding="utf-8")
    assert len(photos) == 3
    for path in photos:
        with Image.open(path) as photo:
            assert photo.mode == "RGB" and max(photo.size) <= 512
        assert path.stat().st_size < 100_000
        assert path.name in notice
