"""``auto``: the fastest that was measured here and gave the right picture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from adair.errors import AdairError
from adair.hardware import Precision
from adair.runtimes import create_runtime, measured
from adair.runtimes.measured import Measurement, fastest, measure, remember


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "adair" / "runtimes.json"


class Shift:
    """A runtime whose results are off by a constant."""

    device, precision = torch.device("cpu"), Precision(torch.float32, "")

    def __init__(self, name: str, by: float) -> None:
        self.name, self.by = name, by

    def load(self, network: nn.Module) -> Shift:
        return self

    nbytes = 0

    def __call__(self, tiles: Tensor) -> Tensor:
        return tiles + self.by


def test_runtimes_are_compared_and_those_that_cannot_run_say_why() -> None:
    def load(name: str) -> Shift:
        if name == "missing":
            raise AdairError("pip install it")
        return Shift(name, {"right": 0.001, "wrong": 0.1}[name])

    found, reasons = measure(["right", "wrong", "missing"], load, nn.Identity, rounds=1)
    assert reasons == {"missing": "pip install it"}
    by_name = {one.runtime: one for one in found}
    assert by_name["right"].same and not by_name["wrong"].same
    assert by_name["right"].max_difference == pytest.approx(0.255, abs=0.01)
    assert [one.seconds_per_megapixel for one in found] == sorted(one.seconds_per_megapixel for one in found)


def test_the_fastest_that_is_right_is_chosen(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fastest() == "torch"
    pytest.importorskip("onnxruntime")
    remember(
        [
            Measurement("openvino", "bf16", 0.1, 40.0, False),
            Measurement("onnxruntime", "fp32", 0.2, 0.1, True),
            Measurement("torch", "fp32", 0.3, 0.0, True),
        ]
    )
    assert cache.is_file()
    assert fastest() == "onnxruntime"
    assert create_runtime("auto", "cpu").name == "onnxruntime"
    assert create_runtime("auto", "cpu", "bf16").name == "torch", "it cannot do what was asked for"
    monkeypatch.setattr(measured, "cpu_name", lambda: "another processor")
    assert create_runtime("auto", "cpu").name == "torch"


@pytest.mark.parametrize("text", ["", "[]", '{"machine": 1}', "\x00"])
def test_a_damaged_cache_is_no_cache(cache: Path, text: str) -> None:
    cache.parent.mkdir()
    cache.write_text(text)
    assert fastest() == "torch"
