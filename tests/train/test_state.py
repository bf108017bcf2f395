from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from adair.errors import AdairError
from adair.train.settings import RunSettings
from adair.train.state import Callback, CallbackList, TensorBoard, TrainState


def test_curves_can_be_read_back(tmp_path: Path, make_settings: Callable[..., RunSettings]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package itself
        pytest.importorskip("tensorboard")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        board = TensorBoard(tmp_path)
        board.on_start(make_settings())
        board.on_step(TrainState(step=1))
        for step, loss in ((50, 0.5), (51, 0.5), (100, 0.25)):
            board.on_step(TrainState(step=step, loss=loss, rate=1e-3, psnr={"noise": 30.0}))
        board.on_end()
        events = EventAccumulator(str(tmp_path))
        events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(50, 0.5), (100, 0.25)]
    assert [event.step for event in events.Scalars("psnr/noise")] == [50]
    assert [event.value for event in events.Scalars("rate")] == pytest.approx([1e-3, 1e-3])


def test_without_tensorboard_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(AdairError, match=r"adair\[train\]"):
        TensorBoard(tmp_path)


def test_a_state_comes_back_from_a_checkpoint() -> None:
    state = TrainState(
        step=7, loss=0.5, history=((5, 20.0),), best={"a": 20.0}, baselines={"foundation": 19.0}, warnings=("few",)
    )
    facts = json.loads(json.dumps(state.to_facts()))
    assert facts["beside"] == {"foundation": 19.0}  # its name in files of every version
    assert TrainState.from_facts({**facts, "kind": "merge"}) == state
    assert TrainState.from_facts({"step": 3}).step == 3
    earlier = TrainState.from_facts({"step": 9, "origin": 6, "seconds": 30.0})  # origin_seconds is newer
    assert earlier.origin_seconds == pytest.approx(20.0)


def test_a_list_calls_all_of_its_callbacks(make_settings: Callable[..., RunSettings]) -> None:
    calls: list[tuple[str, str]] = []

    class Named(Callback):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_decode(self, done: int, total: int) -> None:
            calls.append((self.name, f"{done} of {total}"))

        def on_start(self, settings: RunSettings) -> None:
            calls.append((self.name, "start"))

        def on_step(self, state: TrainState) -> None:
            calls.append((self.name, f"step {state.step}"))

        def on_message(self, line: str) -> None:
            calls.append((self.name, line))

        def on_end(self) -> None:
            calls.append((self.name, "end"))

    both = CallbackList([Named("a"), Named("b")])
    both.on_decode(1, 2)
    both.on_start(make_settings())
    both.on_step(TrainState(step=4))
    both.on_message("hello")
    both.on_end()
    assert calls == [(name, what) for what in ("1 of 2", "start", "step 4", "hello", "end") for name in ("a", "b")]
