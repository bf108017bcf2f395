from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from adair.errors import InputError
from adair.train.config import DataConfig, ScheduleConfig, TrainConfig


def test_a_file_reads_back_as_it_was(tmp_path: Path) -> None:
    config = TrainConfig(
        task="scanner",
        data=DataConfig(pairs=(Path('a "b"\\c'), Path("ü\x7f")), exclude=("one", "two"), texture=0.5),
        schedule=ScheduleConfig(minutes=2, hold=1),
        compile=True,
    )
    config.write(tmp_path / "run.toml")
    assert TrainConfig.read(tmp_path / "run.toml") == config


def test_flags_override_a_file(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('seed = 3\n[schedule]\nsteps = 5\nhold = 0.5\n[data]\nphotos = "p"\n')
    config = TrainConfig.read(tmp_path / "run.toml").override(
        {"schedule.steps": 7, "schedule.hold": None, "seed": 4, "device": "cpu"}
    )
    assert (config.seed, config.device, config.data.photos) == (4, "cpu", Path("p"))
    assert (config.schedule.steps, config.schedule.hold) == (7, 0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sead = 1", "unknown setting sead; the nearest known one is seed"),
        ("[schedule]\nstep = 1", "schedule.step; the nearest known one is schedule.steps"),
        ("[schedule]\nsteps = 1.5", "steps 1.5: must be of type int"),
        ("seed = true", "seed True"),
        ("[schedule]\nhold = nan", "hold nan"),
        ('[data]\npairs = ["a"]', "pairs"),
        ('[optimiser]\nname = "sgd"', "muon or adamw"),
        ('[optimiser]\npatch = "large"', "large"),
        ("[optimiser]\naverage_steps = 0", "average-steps"),
        ("[schedule]\nminutes = 1\nmax_minutes = 1", "give one"),
        ("[schedule]\nminutes = 1\nsteps = 5", "--minutes and --steps: give one"),
        ("data = 3", "data 3"),
        ("= 3", "not TOML"),
    ],
)
def test_mistakes_are_named_with_the_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        TrainConfig.read(path)
    assert str(error.value).startswith(f"{path}: ") and said in str(error.value)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("optimiser.name", "foo", "--optimiser foo: choose muon or adamw"),
        ("optimiser.patch", "64,80:96", "--patch 64,80:96: 80 is outside 0..1"),
        ("optimiser.patch", "64,nan:96", "--patch 64,nan:96: nan is outside 0..1"),
        ("optimiser.patch", "64,-0.1:96", "--patch 64,-0.1:96: -0.1 is outside 0..1"),
        ("schedule.by", "foo", "--schedule foo: choose"),
        ("checkpoint.precision", "fp8", "--checkpoint-precision fp8: choose"),
        ("checkpoint.part_mb", math.inf, "--checkpoint-part-mb inf: must be a finite number"),
        ("schedule.minutes", 0.0, "--minutes 0: must be positive"),
        ("schedule.max_minutes", -1.0, "--max-minutes -1: must be positive"),
        ("schedule.minutes", math.nan, "--minutes nan: must be a finite number"),
    ],
)
def test_messages_name_the_flag_that_was_given(setting: str, value: object, said: str) -> None:
    with pytest.raises(InputError) as error:
        TrainConfig().override({setting: value})
    assert str(error.value).startswith(said)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml"):
        TrainConfig.read(tmp_path / "none.toml")


@pytest.mark.parametrize("wrong", [{"seed": "1"}, {"device": 3}, {"compile": 1}, {"data": {"photo": "x"}}])
def test_code_is_checked_as_a_file_is(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        TrainConfig(**wrong)
