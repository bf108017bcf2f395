"""``adair completion``, and what its scripts are answered."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from adair.cli.main import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert f"_ADAIR_COMPLETE=complete_{shell}" in capsys.readouterr().out


def test_other_shells_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "bash, zsh, fish" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "expected"),
    [("adair res", {"restore"}), ("adair restore --reco", set()), ("adair restore --recu", {"--recursive"})],
)
def test_commands_and_options_are_completed(line: str, expected: set[str]) -> None:
    asked = {"_ADAIR_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", "from adair.cli.main import main; main()"],
        env={**os.environ, **asked}, capture_output=True, text=True,
    )  # fmt: skip
    assert set(done.stdout.split()) == expected, done.stderr
