"""Defaults and limits of training that users read in the help, the documentation or a docstring: all say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adair.cli.main import main
from adair.cli.options import SETTINGS
from adair.train import monitors, pairs, recommend, trainer, validation
from adair.train.config import OptimiserConfig, ScheduleConfig, TrainConfig
from adair.train.settings import FOR_ADAPTER, FOR_FOUNDATION, Defaults

DOCS = Path(__file__).resolve().parents[2] / "docs"
# Flags whose default is no setting, but the value that another one leads to.
DERIVED = {"unshuffle": "as what it starts from; 1"}
SHOWN = {
    "adapt": {"kind", "patience"},
    "pretrain": set(),
}
SHOWN_BY_BOTH = {
    *("patch", "optimiser", "average_steps", "hold", "schedule", "seed", "texture", "shrink", "unshuffle"),
    *("checkpoint_minutes", "checkpoint_keep", "checkpoint_precision"),
}


def defaults_in_help(command: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what the help of a command says after "default:", by the name of the flag's parameter."""
    assert main([command, "--help"]) == 0
    options = re.split(r"\n  (?:-\w, )?--", capsys.readouterr().out.split("Options:")[1])
    found = {}
    for option in options[1:]:
        if shown := re.search(r"\[default: (.+?)\]", " ".join(option.split())):
            found[option.split()[0].replace("-", "_")] = shown[1]
    return found


def default_of(flag: str, defaults: Defaults) -> object:
    """Return the default of the setting that a flag sets: that of the configuration, or of the kind of run."""
    value: object = TrainConfig()
    for part in SETTINGS[flag].split("."):
        value = getattr(value, part)
    return getattr(defaults, SETTINGS[flag].rpartition(".")[2]) if value is None else value


@pytest.mark.parametrize(("command", "defaults"), [("adapt", FOR_ADAPTER), ("pretrain", FOR_FOUNDATION)])
def test_the_help_shows_the_defaults(command: str, defaults: Defaults, capsys: pytest.CaptureFixture[str]) -> None:
    shown = defaults_in_help(command, capsys)
    assert shown.keys() == SHOWN[command] | SHOWN_BY_BOTH
    for flag, text in shown.items():
        if flag in DERIVED:
            assert text == DERIVED[flag]
            continue
        value = default_of(flag, defaults)
        assert type(value)(text) == value, f"--{flag}: the help says {text}, and the default is {value}"  # type: ignore[call-arg]


def test_runs_are_as_long_as_the_configuration_says() -> None:
    said = " ".join(f"{ScheduleConfig.__doc__} {OptimiserConfig.__doc__}".split())
    for name, text in (
        ("steps", "steps: length of the run; None: {:,} for a foundation, {:,} for an adapter."),
        ("learning_rate", "learning_rate: the highest; None: {:g} for a foundation, {:g} for an adapter."),
        ("validate_steps", "validate_steps: steps between validations; None: {} for a foundation, {} for an adapter."),
        ("batch", "batch: patches per step, over all processes; None: {} for a foundation, {} for an adapter."),
        ("patience", "None: {} for a foundation, {} for an adapter."),
    ):
        assert text.format(getattr(FOR_FOUNDATION, name), getattr(FOR_ADAPTER, name)) in said
    assert Defaults(steps=10_000, batch=4, learning_rate=2e-3, patience=5, validate_steps=100) == FOR_ADAPTER
    assert Defaults(steps=100_000, batch=8, learning_rate=1e-3, patience=0, validate_steps=500) == FOR_FOUNDATION
    assert OptimiserConfig().clip == 1.0 and OptimiserConfig().weight_decay == 0.0  # without a flag


def test_the_documentation_quotes_the_limits() -> None:
    adapt, training = (" ".join((DOCS / f"{page}.md").read_text("utf-8").split()) for page in ("adapt", "training"))
    for value, expected, page, quote in (
        (validation.HELD_OUT_PHOTOS, 12, adapt, "One photo in ten, and at most twelve, are held out"),
        (FOR_ADAPTER.patience, 5, adapt, "if five validations in a row are more than 0.1 dB below the best"),
        (monitors.WORSE, 0.1, adapt, "more than 0.1 dB below the best"),
        (validation.FEW, 10, adapt, "if there are fewer than ten photos"),
        (recommend.MOST, 12, adapt, "restore the middle of up to 12 of them"),
        (validation.GAIN, 0.05, adapt, "at least 0.05 dB better than the foundation"),
        (recommend.NEAR, 3.0, adapt, "half of the squared error (3 dB)"),
        (pairs.FARTHEST, 32, adapt, "Pairs with shifts of more than 32 pixels are skipped"),
        (TrainConfig().checkpoint.minutes, 5.0, training, "A checkpoint is written every five minutes"),
        (TrainConfig().data.shrink, 3, training, "two or three times smaller (`--shrink 3`;"),
        (monitors.WINDOW, 50, training, "checked every 50 steps"),
        (monitors.LOSS_LIMIT, 4.0, training, "the loss is four times (the norm a hundred times) its running level"),
        (monitors.NORM_LIMIT, 100.0, training, "(the norm a hundred times)"),
        (trainer.SLOWEST, 1 / 2**4, training, "half the learning rate, and reports this in one line. After four times"),
    ):
        assert value == expected and quote in page, quote
    # No page quotes it; it parts haze and darkness from rain and salt (`adair.train.validation`).
    assert validation.TONE == 0.12
