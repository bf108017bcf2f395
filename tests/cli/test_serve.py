"""``adair serve`` as a process: starts, answers, ends when told to."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from adair.cli.main import main


def test_serves_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-m", "adair", "serve", "--port", "0", "--device", "cpu"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process:
        try:
            address = re.search(r"http://\S+", process.stderr.readline())
            assert address is not None
            with urllib.request.urlopen(f"{address[0]}/ready", timeout=60) as reply:
                assert reply.status == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


def test_bad_use_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "token"
    empty.write_text("\n")
    for words, expected in (
        (["--port", "99999"], "port 99999"),
        (["--seconds", "nan"], "seconds nan"),
        (["--host", "192.0.2.1"], "cannot listen"),
        (["--token-file", str(tmp_path / "none")], "none: the token cannot be read, no such file or directory; give"),
        (["--token-file", str(empty)], "empty"),
    ):
        assert main(["serve", *words]) == 2
        error = capsys.readouterr().err
        assert expected in error and error.count("\n") == 1
