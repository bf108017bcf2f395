"""The campaign with hostile files, in small; `benchmarks/hostile.py` runs it on any corpus."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parents[1] / "benchmarks" / "hostile.py"


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, TOOL, *map(str, words)], capture_output=True, text=True, timeout=300)


def test_files_are_restored_or_refused_and_nothing_else(tmp_path: Path) -> None:
    assert run("--make", tmp_path / "corpus", "--count", 250, "--seed", 3).returncode == 0
    done = run(tmp_path / "corpus", "--json", tmp_path / "facts.json")
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert (done.returncode, facts["defects"], done.stderr) == (0, [], "")
    assert facts["files"] == 250 and set(facts["counts"]) == {"restored", "refused"}
    assert min(facts["counts"].values()) >= 50


def test_the_campaign_sees_defects(tmp_path: Path) -> None:
    """A limit of time that nothing keeps is a hang."""
    run("--make", tmp_path / "corpus", "--count", 1)
    done = run(tmp_path / "corpus", "--seconds", "0.0001")
    assert done.returncode == 1 and "hang" in done.stderr
