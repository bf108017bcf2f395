"""Task "auto" for videos: one decision for all frames."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adair.images import ImageFile
from adair.inspect import MIXTURE, Advice, Finding
from adair.restore import RestoreOptions
from adair.restore.restoration import Restoration
from adair.tasks import DAMAGES
from adair.video.choosing import SAMPLES, choose_for_all

DENOISE, DEJPEG = {"denoise": 1.0}, {"dejpeg": 1.0}


class Adviser:
    """Gives one plan after the other; restores by making darker, and counts."""

    tasks = ("denoise", "dejpeg")

    def __init__(self, *plans: tuple[dict[str, float], ...]) -> None:
        self._plans = itertools.cycle(plans)
        self.asked, self.tasks_run = 0, []

    def check(self, options: RestoreOptions) -> str:
        return "x"

    def mark(self, options: RestoreOptions) -> str:
        return repr(options.task)

    def run(self, image: Any, options: RestoreOptions, progress: Any = None) -> Restoration[Any]:
        if options.task == "auto":
            self.asked += 1
            findings = tuple(Finding(kind, 0.1 * self.asked, kind.worst) for kind in DAMAGES[:1])
            return Restoration(image, (Advice(findings, next(self._plans)),))
        self.tasks_run.append(options.task)
        return Restoration(ImageFile((image.pixels * 0.9).astype(np.uint16)), ())


def images(count: int) -> list[ImageFile]:
    return [ImageFile(np.zeros((8, 8, 3), np.uint16))] * count


@pytest.mark.parametrize(
    ("plans", "expected"),
    [
        ([(DENOISE,), (DENOISE,), ()], (DENOISE,)),
        ([(DENOISE,), (), ()], ()),
        ([(DENOISE, DEJPEG), (DEJPEG,), (DENOISE, DEJPEG)], (DENOISE, DEJPEG)),
        ([(DENOISE, DEJPEG), (DEJPEG,), ()], (DEJPEG,)),
        ([(DEJPEG,), (DENOISE,), (DEJPEG,), (DENOISE,), (DENOISE, DEJPEG)], (DENOISE, DEJPEG)),
        ([(DENOISE,), (DENOISE,), MIXTURE], (DENOISE,)),
        ([(DENOISE,), MIXTURE], MIXTURE),
        ([(DENOISE,), (DEJPEG,), ()], MIXTURE),  # they agree that something is wrong
        ([(DENOISE,), ()], ()),  # half of them is not most of them
    ],
)
def test_what_most_pictures_need_is_done(plans: list[Any], expected: Any) -> None:
    advice = choose_for_all(Adviser(*plans), RestoreOptions("auto"), images(len(plans)))
    assert advice.plan == expected
    assert advice.findings[0].probability == pytest.approx(0.1 * (len(plans) + 1) / 2)


def test_auto_decides_once_for_a_video(clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    from adair.video import restore_video

    adviser = Adviser((DENOISE,))
    result = restore_video(clip, tmp_path / "out.mp4", "auto", restorer=adviser)
    assert adviser.asked == SAMPLES
    assert adviser.tasks_run == [(DENOISE,)] * 12
    assert result.advice is not None and result.advice.plan == (DENOISE,)


def test_nothing_to_do_copies_the_file(clip: Path, tmp_path: Path, see: Any) -> None:
    pytest.importorskip("av")
    from adair.video import restore_video

    restore_video(clip, tmp_path / "out.mp4", "auto", restorer=Adviser(()))
    assert (tmp_path / "out.mp4").read_bytes() == clip.read_bytes()
    restore_video(clip, tmp_path / "out.mkv", "auto", restorer=Adviser(()))
    before, after = see(clip), see(tmp_path / "out.mkv")
    assert [float(time) for time in after.times] == pytest.approx(
        [float(t + after.times[0]) for t in before.times], abs=2e-3
    )
    for one, other in zip(before.pixels(), after.pixels(), strict=True):
        np.testing.assert_array_equal(one, other)
