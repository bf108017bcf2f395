from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import adair
from adair.adapters import create_adapter, load_adapter
from adair.backbones import build_backbone, parse_shape
from adair.degradations import parse_recipe
from adair.errors import AdairError
from adair.hardware import Precision
from adair.train.checkpoint import load_checkpoint, save_checkpoint
from adair.train.config import TrainConfig, parse_patches
from adair.train.objectives import SyntheticPairs
from adair.train.run import Begin
from adair.train.settings import FOR_ADAPTER, resolve
from adair.train.state import Callback
from adair.weights import load_foundation, save_foundation

SHAPE = {"width": 4, "encoder": (1,), "middle": 1, "decoder": (1,)}


def test_reads_patch_sizes_and_blocks() -> None:
    assert parse_patches("64") == ((0.0, 64),)
    assert parse_patches("64,0.8:96") == ((0.0, 64), (0.8, 96))
    assert parse_shape("nafnet", 16, "1,2/3/4,5") == {
        "width": 16,
        "encoder": [1, 2],
        "middle": 3,
        "decoder": [4, 5],
    }
    assert parse_shape("restormer", None, "1,2,3,4") == {"blocks": [1, 2, 3, 4]}
    for text in ("1,2/3", "a/b/c", "1/2,3/4"):
        with pytest.raises(AdairError, match="--blocks"):
            parse_shape("nafnet", None, text)


def test_a_result_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    present = tmp_path / "foundation.safetensors"
    Begin().check(present)
    present.write_text("hours of work")
    Begin(resume=True).check(present)
    Begin(restart_schedule=True).check(present)
    Begin(overwrite=True).check(present)
    with pytest.raises(AdairError, match="--overwrite"):
        Begin().check(present)


def test_half_precision_is_not_chosen_and_not_taken_for_training(monkeypatch: pytest.MonkeyPatch) -> None:
    objective = SyntheticPairs(parse_recipe("noise(sigma=5)"))
    half = Precision(torch.float16, "an old GPU's best")
    monkeypatch.setattr("adair.train.settings.choose_precision", lambda name, device: half)
    assert resolve(TrainConfig(device="cpu"), objective, FOR_ADAPTER).precision == torch.float32
    with pytest.raises(AdairError, match="fp16"):
        resolve(TrainConfig(device="cpu", precision="fp16"), objective, FOR_ADAPTER)


class Lines(Callback):
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_message(self, line: str) -> None:
        """Keep a line."""
        self.lines.append(line)


def tiny(folder: Path, photo_folder: Path) -> TrainConfig:
    torch.manual_seed(0)
    path = folder / "foundation.safetensors"
    save_foundation(path, "nafnet", SHAPE, build_backbone("nafnet", SHAPE).state_dict())
    return TrainConfig(
        task="scanner",
        output=folder / "scanner.safetensors",
        data={"photos": photo_folder, "recipe": "noise(sigma=25)"},  # type: ignore[arg-type]
        network={"foundation": path},  # type: ignore[arg-type]
        schedule={"steps": 3},  # type: ignore[arg-type]
        optimiser={"batch": 2, "patch": "16"},  # type: ignore[arg-type]
        device="cpu",
        precision="fp32",
    )


def test_a_run_from_python_writes_its_config_and_goes_on_under_the_same_one(photo_folder: Path, tmp_path: Path) -> None:
    config, follower = tiny(tmp_path, photo_folder), Lines()
    result = adair.adapt(config, callbacks=[follower])
    assert result.state.step == 3 and result.path == tmp_path / "scanner.safetensors"
    assert any("only 6 photos" in line for line in follower.lines)
    assert TrainConfig.read(tmp_path / "scanner.config.toml") == config
    with pytest.raises(AdairError, match="exists; choose another"):
        adair.adapt(config)
    longer = config.override({"schedule.steps": 5, "checkpoint.keep": 2})
    for name, value in (("seed", 1), ("optimiser.batch", 4), ("data.recipe", "noise(sigma=5)")):
        with pytest.raises(AdairError, match=f"was trained with {name} .*--restart-schedule"):
            adair.adapt(longer.override({name: value}), resume=True)
    assert adair.adapt(longer, resume=True).state.step == 5
    assert adair.adapt(longer.override({"seed": 1}), restart_schedule=True).state.step == 10


def test_the_example_of_the_documentation_runs(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    code, text = (page.split(f"```{language}\n")[1].split("```")[0] for language in ("python", "toml"))
    shutil.copytree(photo_folder, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/training.md", "exec"), {})
    assert (tmp_path / "scanner.safetensors").exists()
    (tmp_path / "scanner.toml").write_text(text)
    same = TrainConfig.read("scanner.toml")
    assert same == TrainConfig.read("scanner.config.toml")


def test_a_constant_rate_is_cut_off_and_falls_in_a_copy(photo_folder: Path, tmp_path: Path) -> None:
    config = tiny(tmp_path, photo_folder).override({"schedule.hold": 1, "optimiser.average_steps": 50})
    once = config.override({"schedule.steps": 6, "output": tmp_path / "once.safetensors"})
    whole = adair.adapt(once)
    adair.adapt(config.override({"schedule.steps": 2}))
    for steps in (4, 6):
        cut = adair.adapt(config.override({"schedule.steps": steps}), resume=True)
    one, other = (load_file(result.path) for result in (whole, cut))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert cut.state.rate == whole.state.rate > 0
    shutil.copy(tmp_path / "scanner.checkpoint.safetensors", tmp_path / "fall.checkpoint.safetensors")
    fall = config.override({"output": tmp_path / "fall.safetensors", "schedule.hold": 0, "schedule.steps": 20})
    fallen = adair.adapt(fall, restart_schedule=True).state
    assert fallen.step == 26 and fallen.rate < 0.1 * cut.state.rate


def test_a_checkpoint_that_does_not_know_its_origin_is_resumed(photo_folder: Path, tmp_path: Path) -> None:
    first = tiny(tmp_path, photo_folder)
    adair.adapt(first)
    config = first.override({"output": tmp_path / "b.safetensors", "network.start": first.output})
    adair.adapt(config)
    checkpoint = tmp_path / "b.checkpoint.safetensors"
    tensors, facts = load_checkpoint(checkpoint, torch.device("cpu"))
    assert facts.pop("continued_from")["steps"] == 3
    save_checkpoint(checkpoint, tensors, facts)
    for steps in (4, 5):
        result = adair.adapt(config.override({"schedule.steps": steps}), resume=True)
        config = config.override({"schedule.steps": steps})
        card = load_adapter(result.path, load_foundation(tmp_path / "foundation.safetensors")).card
        assert card["training"]["continued_from"]["steps"] == 3


def test_the_seed_determines_the_first_weights_of_an_adapter(photo_folder: Path, tmp_path: Path) -> None:
    at_once = {"schedule.steps": 1, "schedule.learning_rate": 1e-12, "network.kind": "conv"}
    config = tiny(tmp_path, photo_folder).override(at_once)
    foundation = load_foundation(tmp_path / "foundation.safetensors")
    found = []
    for seed in (0, 1, 2**63 - 1):
        output = tmp_path / f"{seed}.safetensors"
        result = adair.adapt(config.override({"seed": seed, "output": output}))
        found.append(load_adapter(result.path, foundation).adapter.state_dict())
        first = create_adapter("conv", foundation.model, torch.Generator().manual_seed(seed)).state_dict()
        assert all(torch.allclose(found[-1][name], value, atol=2e-3) for name, value in first.items())
    plain = create_adapter("conv", foundation.model).state_dict()
    assert all(torch.allclose(found[0][name], value, atol=2e-3) for name, value in plain.items())  # as ever
    assert not all(torch.allclose(found[0][name], value, atol=1e-2) for name, value in found[1].items())


def test_settings_of_the_other_command_are_refused(photo_folder: Path, tmp_path: Path) -> None:
    config = tiny(tmp_path, photo_folder)
    with pytest.raises(AdairError, match=r"network\.width: not for adapters"):
        adair.adapt(config.override({"network.width": 8}))
    with pytest.raises(AdairError, match=r"task, network\.foundation: not for foundations"):
        adair.pretrain(config)
    with pytest.raises(AdairError, match="--photos"):
        adair.pretrain(TrainConfig())


def pretraining(photos: Path, output: Path) -> TrainConfig:
    """Two steps of a tiny foundation on noise."""
    return TrainConfig(
        output=output,
        data={"photos": photos, "recipe": "noise(sigma=25)"},  # type: ignore[arg-type]
        network={"width": 4, "blocks": "1/1/1"},  # type: ignore[arg-type]
        schedule={"steps": 2},  # type: ignore[arg-type]
        optimiser={"batch": 2, "patch": "16"},  # type: ignore[arg-type]
        device="cpu",
        precision="fp32",
    )


def test_a_foundation_from_python(photo_folder: Path, tmp_path: Path) -> None:
    config = pretraining(photo_folder, tmp_path / "run").override({"data.recipe": None})
    result = adair.pretrain(config)
    assert load_foundation(result.path).card["training"]["steps"] == 2
    assert TrainConfig.read(tmp_path / "run" / "foundation.config.toml") == config


def test_a_foundation_goes_on(photo_folder: Path, tmp_path: Path) -> None:
    config = pretraining(photo_folder, tmp_path / "run")
    adair.pretrain(config)
    assert adair.pretrain(config.override({"schedule.steps": 3}), resume=True).state.step == 3
    with pytest.raises(AdairError, match="was trained with config"):
        adair.pretrain(config.override({"network.width": 8}), resume=True)
    with pytest.raises(AdairError, match="was trained with seed 0, not 1"):
        adair.pretrain(config.override({"seed": 1}), resume=True)


def test_a_resumed_run_keeps_the_shape_and_the_origin_of_its_checkpoint(photo_folder: Path, tmp_path: Path) -> None:
    config = pretraining(photo_folder, tmp_path / "first")
    first = adair.pretrain(config)
    again = config.override({"output": tmp_path / "run", "network.width": None, "network.blocks": None})
    adair.pretrain(again.override({"network.start": first.path}))
    result = adair.pretrain(again.override({"schedule.steps": 3}), resume=True)
    made = load_foundation(result.path)
    assert made.config == load_foundation(first.path).config
    assert made.card["training"]["continued_from"]["steps"] == 2


def test_a_run_on_flat_photos_that_stops_before_its_first_validation_writes_a_foundation(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for level in range(0, 250, 50):  # a blur leaves these as they are: the input's PSNR would be infinite
        Image.new("RGB", (80, 80), (level, level, level)).save(tmp_path / "photos" / f"{level}.png")
    config = TrainConfig(
        output=tmp_path / "run",
        data={"photos": tmp_path / "photos"},  # type: ignore[arg-type]
        network={"width": 4, "blocks": "1/1/1"},  # type: ignore[arg-type]
        schedule={"steps": 10**6, "max_minutes": 1e-6},  # type: ignore[arg-type]
        optimiser={"batch": 2, "patch": "16"},  # type: ignore[arg-type]
        device="cpu",
        precision="fp32",
    )
    result = adair.pretrain(config)
    assert not result.state.finished
    assert load_foundation(result.path).card["validation"]["input"]["blur 2"] == 100.0
