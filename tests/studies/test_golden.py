"""A golden figure: what one tiny network restores after a training of a second, on photos that this file draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.backbones.registry import NAFNetConfig
from adair.studies.networks import Adapted, Whole
from adair.studies.runner import in_order, work_off
from adair.studies.scores import Scores
from adair.studies.tasks import TASKS
from adair.studies.training import Course
from adair.studies.workspace import FORMAT, Place, Workspace

GOLDEN = {2: (22.312, 23.521)}  # PSNR in dB of the network and of an adapter on it, by FORMAT
RAISE = (
    "the code gives other figures than before: raise FORMAT in src/adair/studies/workspace.py, so that no older result "
    "is taken for a new one, remove the pages of docs/studies, and put the new figures here"
)


@pytest.fixture
def drawn(tmp_path: Path) -> Workspace:
    folder = tmp_path / "photos"
    folder.mkdir()
    y, x = np.mgrid[0:96, 0:96]
    for number in range(4):
        waves = [127 + 120 * np.sin((x * (1 + number) + y * (3 - channel)) / 15) for channel in range(3)]
        Image.fromarray(np.stack(waves, -1).astype(np.uint8)).save(folder / f"{number}.png")
    return Workspace(Place(tmp_path / "runs", folder, 2, None, "cpu", "fp32"))


def test_the_figures_are_those_of_this_format(drawn: Workspace) -> None:
    shape = NAFNetConfig(width=8, encoder=(1,), middle=1, decoder=(1,))
    network = Whole(Course(("noise(sigma=50)",), 30, 4, 32, 1e-2), shape)
    adapter = Adapted(Course(("noise(sigma=25)",), 30, 4, 32, 1e-2, seed=1), network, "merge", (("rank", 2),))
    jobs = [Scores(one, TASKS[0].tests[:1], 2, 96) for one in (network, adapter)]
    work_off(in_order(jobs, drawn), drawn)
    found = [np.mean(drawn.result(job).figures["denoise 25"]["psnr"]) for job in jobs]
    assert found == pytest.approx(GOLDEN[FORMAT], abs=0.01), RAISE
