from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

from adair.errors import AdairError
from adair.train.plan import Report
from adair.train.tensorboard import tensorboard_log


def test_curves_can_be_read_back(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package itself
        pytest.importorskip("tensorboard")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        with tensorboard_log(tmp_path) as note:
            note(Report(step=1))
            for step, loss in ((50, 0.5), (51, 0.5), (100, 0.25)):
                note(Report(step=step, loss=loss, rate=1e-3, psnr={"noise": 30.0}))
        events = EventAccumulator(str(tmp_path))
        events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(50, 0.5), (100, 0.25)]
    assert [event.step for event in events.Scalars("psnr/noise")] == [50]
    assert [event.value for event in events.Scalars("rate")] == pytest.approx([1e-3, 1e-3])


def test_without_tensorboard_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(AdairError, match=r"adair\[train\]"), tensorboard_log(tmp_path):
        pass
