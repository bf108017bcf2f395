"""Other people's checkpoints as rows, through spandrel; what cannot be one is refused in a line."""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from adair.backbones import build_backbone
from adair.bench import plan
from adair.bench.baselines import checkpoint, load_baseline
from adair.bench.case import Case, Method
from adair.bench.suites import PHOTO, SUITES, UNSEEN
from adair.degradations import resize
from adair.errors import AdairError

needs_spandrel = pytest.mark.skipif(
    find_spec("spandrel") is None or find_spec("einops") is None, reason="needs spandrel and einops"
)


@needs_spandrel
def test_a_published_network_restores_as_it_should(tmp_path: Path) -> None:
    """spandrel's NAFNet and ours are the same network; sizes that it does not take are padded."""
    torch.manual_seed(0)
    ours = build_backbone("nafnet", {"width": 8, "encoder": [1, 1], "middle": 1, "decoder": [1, 1]}).eval()
    state = {name: tensor + 0.1 * torch.randn_like(tensor) for name, tensor in ours.state_dict().items()}
    ours.load_state_dict(state)
    save_file(state, tmp_path / "their denoiser.safetensors")
    method = load_baseline(tmp_path / "their denoiser.safetensors")
    given = torch.rand(1, 3, 16, 24)
    restored = method.run(Case("denoise", given, (16, 24)))
    assert torch.allclose(restored, ours(given).detach().clamp(0, 1), atol=1e-5)
    assert method.run(Case("denoise", given[..., :13, :21], (13, 21))).shape == (1, 3, 13, 21)
    assert (method.name, method.kind) == ("their denoiser", "baseline")
    assert "NAFNet" in method.note and method.version.startswith("sha256 ")
    assert not method.enlarges
    assert "sr" not in method.suites and {"denoise", "derain", "photo", "unseen"} <= method.suites


def small_upscaler(path: Path, channels: int) -> None:
    """An ESRGAN "compact" network for x2 whose layers are zero: it repeats pixels."""
    shapes = {
        "body.0.weight": (4, channels, 3, 3),
        "body.2.weight": (4, 4, 3, 3),
        "body.4.weight": (4 * channels, 4, 3, 3),
    }
    biases = {name.replace("weight", "bias"): shape[:1] for name, shape in shapes.items()}
    slopes = {"body.1.weight": (4,), "body.3.weight": (4,)}
    save_file({name: torch.zeros(shape) for name, shape in (shapes | biases | slopes).items()}, path)


@needs_spandrel
def test_an_upscaler_serves_every_scale(tmp_path: Path) -> None:
    small_upscaler(tmp_path / "up.safetensors", channels=3)
    method = load_baseline(tmp_path / "up.safetensors")
    assert method.enlarges and method.suites == {"sr", "unseen"} and "x2" in method.note
    given = torch.rand(1, 3, 10, 12)
    twice = F.interpolate(given, scale_factor=2.0, mode="nearest")
    assert torch.equal(method.run(Case("sr", given, (20, 24), 2)), twice)
    assert torch.allclose(method.run(Case("sr", given, (40, 48), 4)), resize(twice, (40, 48)))


@needs_spandrel
def test_what_is_no_network_for_rgb_is_refused(tmp_path: Path) -> None:
    small_upscaler(tmp_path / "gray.safetensors", channels=1)
    save_file({"a.weight": torch.zeros(2, 2)}, tmp_path / "odd.safetensors")
    with pytest.raises(AdairError, match=r"gray\.safetensors: RealESRGAN Compact x2 does not map one RGB image"):
        load_baseline(tmp_path / "gray.safetensors")
    with pytest.raises(AdairError, match=r"odd\.safetensors: spandrel .* recognises no network"):
        load_baseline(tmp_path / "odd.safetensors")


class Bomb:
    """What a hostile pickle would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a pickle was opened",)


@pytest.mark.parametrize("name", ["swinir.pth", "swinir.PTH", "swinir.ckpt", "swinir.safetensors"])
def test_pickles_are_never_opened_whatever_their_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    remedy = "weights_only=True" if not name.endswith("safetensors") else "cannot be read as a safetensors file"
    with pytest.raises(AdairError, match=remedy) as raised:
        load_baseline(tmp_path / name)
    assert str(tmp_path / name) in str(raised.value) and "\n" not in str(raised.value)


def test_the_named_conversion_works(tmp_path: Path) -> None:
    """The command of the refusal makes the file that is wanted."""
    torch.save({"params": {"a.weight": torch.arange(4.0)}}, tmp_path / "their.pth")
    with pytest.raises(AdairError) as raised:
        load_baseline(tmp_path / "their.pth")
    command = str(raised.value).split('python -c "')[1].removesuffix('"')
    exec(command, {})
    assert load_file(tmp_path / "their.safetensors")["a.weight"].tolist() == [0, 1, 2, 3]


def test_a_missing_file_and_a_missing_spandrel_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AdairError, match=r"none\.safetensors: cannot be read"):
        load_baseline(tmp_path / "none.safetensors")
    small_upscaler(tmp_path / "up.safetensors", channels=3)
    monkeypatch.setattr(checkpoint, "find_spec", lambda name: None)
    with pytest.raises(AdairError, match="pip install --no-deps spandrel einops"):
        load_baseline(tmp_path / "up.safetensors")


@pytest.mark.parametrize("enlarges", [False, True])
def test_a_network_is_measured_only_where_it_fits(monkeypatch: pytest.MonkeyPatch, enlarges: bool) -> None:
    """Suite "unseen" has settings of both kinds: images of their own size, and small ones that are to be enlarged."""
    suites = frozenset({"photo", "unseen"})
    other = Method("other", suites, lambda case: case.given, enlarges=enlarges)
    monkeypatch.setattr(plan, "load_baseline", lambda path: other)
    monkeypatch.setattr(plan, "own_methods", lambda *given: [])
    monkeypatch.setattr(plan, "find_baselines", lambda *given: [])
    chosen = plan.choose_methods([*SUITES["unseen"], *SUITES["photo"]], None, {}, [Path("x")])  # type: ignore[arg-type]
    names = {setting.name for setting, _ in chosen}
    assert names == ({"x2 lanczos", "x2 box"} if enlarges else {*UNSEEN, *PHOTO})
