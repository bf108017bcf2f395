"""What a release needs names one version, and the workflows are sound where actionlint is installed."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import adair
from adair.images.optional import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location("check_release", ROOT / "tools" / "check_release.py")
assert SPEC is not None and SPEC.loader is not None
check_release = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_release)


def test_every_file_names_the_version() -> None:
    assert set(check_release.versions().values()) == {adair.__version__}


def test_every_extra_that_is_named_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    texts = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in texts)
    named = set(re.findall(r"(?:adair|\.)\[([a-z]+)\]'", text))
    assert named | {extra for _, extra in PACKAGES.values()} <= set(extras)
    assert {"ui", "heic"} <= named


def test_a_forgotten_place_is_named(tmp_path: Path) -> None:
    for place in check_release.PLACES:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / place).read_text(encoding="utf-8")
        (tmp_path / place).write_text(text.replace(adair.__version__, "9.9.9") if place == "CITATION.cff" else text)
    assert check_release.versions(tmp_path)["CITATION.cff"] == "9.9.9"


def test_a_tag_of_another_version_fails() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "check_release.py", "--tag", "v9.9.9"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "9.9.9" in done.stdout or "marked as unreleased" in done.stdout


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not installed")
def test_workflows_are_sound() -> None:
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    done = subprocess.run(["actionlint", *workflows], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
