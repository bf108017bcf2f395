"""The benchmark of training runs from end to end, and its numbers hang together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "train_speed.py"


def test_quick_benchmark(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARK), "--quick", "--device", "cpu", "--json", str(tmp_path / "speed.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "speed.json").read_text())
    engine, plain, full, adapter = (found["variants"][name] for name in ("engine", "plain", "full", "adapter"))
    assert found["speedup"] == pytest.approx(engine["images_per_second"] / plain["images_per_second"])
    assert found["adapter_step_ratio"] == pytest.approx(adapter["seconds_per_step"] / full["seconds_per_step"])
    assert 0 < found["data_share"] < 1
    assert found["adapter_memory_ratio"] > 0
    for variant in (engine, plain, full, adapter):
        assert set(variant["shares"]) == {"data", "forward", "backward", "optimiser", "other"}
        assert sum(variant["shares"].values()) == pytest.approx(1)
    assert adapter["trained"] < full["trained"] * 2
    least = engine["floor"]
    assert least["operations"] > 0 and least["times_the_floor"] > 1
    assert found["device"] in done.stdout
