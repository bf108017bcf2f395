"""Several processes at the jobs of one study: stopped together, and gone on with."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from adair.studies.networks import Whole
from adair.studies.runner import say, work_off
from adair.studies.workspace import Workspace

TOGETHER = """
import sys
from pathlib import Path
from adair.backbones.registry import NAFNetConfig
from adair.studies.workspace import Place
from adair.studies.networks import Whole
from adair.studies.runner import work_together
from adair.studies.training import Course

shape = NAFNetConfig(width=4, encoder=(1,), middle=1, decoder=(1,))
jobs = [Whole(Course(("noise(sigma=25)",), 400, 2, 16, seed=seed), shape) for seed in (0, 1)]
try:
    work_together(jobs, Place(Path(sys.argv[1]), Path(sys.argv[2]), 2, None, "cpu", "fp32"), 2)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_a_line_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    stream = io.StringIO()
    monkeypatch.setattr(stream, "write", written.append)
    monkeypatch.setattr(sys, "stderr", stream)
    say("[1/2] a job")
    assert written == ["[1/2] a job\n"]


def test_a_signal_stops_all_and_they_go_on(
    make_workspace: Callable[..., Workspace], whole: Callable[..., Whole], photo_folder: Path, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", TOGETHER, str(tmp_path / "together"), str(photo_folder)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        begun = [process.stderr.readline() for _ in range(2)]  # one of each worker
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(60) == 130, rest
    assert sorted(line.split()[0] for line in begun) == ["[1/2]", "[1/2]"]
    assert "Traceback" not in rest
    jobs, workspace, alone = (
        [whole(steps=400, seed=seed) for seed in (0, 1)],
        make_workspace("together"),
        make_workspace("alone"),
    )
    assert not all(workspace.done(job) for job in jobs)
    work_off(jobs, workspace)
    work_off(jobs[:1], alone)
    ours, theirs = jobs[0].tensors(workspace), jobs[0].tensors(alone)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
