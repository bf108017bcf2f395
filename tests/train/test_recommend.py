"""What to start from: by the user's pairs, or by the estimator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.adapters import create_adapter, save_adapter
from adair.backbones import build_backbone
from adair.cli.main import main
from adair.degradations import degrade
from adair.errors import AdairError
from adair.inspect import Finding
from adair.tasks import DAMAGES
from adair.train import recommend as module
from adair.train.config import TrainConfig
from adair.train.recommend import ENOUGH, MANY, SOME, Recommendation, choose, recommend
from adair.weights import load_foundation, save_foundation

SHAPE = {"width": 4, "encoder": (1,), "middle": 1, "decoder": (1,)}
PHOTOS = Path(__file__).resolve().parents[2] / "examples" / "photos"


def figures(**means: float) -> dict[str, dict[str, float]]:
    return {name.replace("_", "/"): {"a": value - 1, "b": value + 1} for name, value in means.items()}


@pytest.mark.parametrize(
    ("means", "start", "data"),
    [
        ({"input": 25, "foundation": 26, "deblur": 27, "zoo_dehaze": 29}, "zoo/dehaze", ENOUGH),
        ({"input": 25, "foundation": 26, "deblur": 27, "zoo_dehaze": 26.5}, "deblur", SOME),
        ({"input": 25, "foundation": 29, "deblur": 29.04}, None, ENOUGH),  # so little does not count
        ({"input": 25, "foundation": 24, "deblur": 23}, None, MANY),
        ({"input": 25, "foundation": 26}, None, SOME),  # no adapter fits the foundation
    ],
)
def test_the_start_is_what_restores_pairs_best(means: dict[str, float], start: str | None, data: str) -> None:
    found = choose(figures(**means))
    assert (found.start, found.data, found.images) == (start, data, 2)
    assert list(found.psnr.values()) == sorted(found.psnr.values(), reverse=True)
    assert found.ahead == (0 if means["foundation"] == 29 else 2)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small foundation that changes nothing, an adapter that brightens as a zoo, and pairs of dark photos."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    weights = build_backbone("nafnet", SHAPE).state_dict()
    weights["ending.weight"].zero_()
    weights["ending.bias"].zero_()
    save_foundation("foundation.safetensors", "nafnet", SHAPE, weights)
    foundation = load_foundation("foundation.safetensors")
    adapter = create_adapter("merge", foundation.model, rank=1)
    with torch.no_grad():
        dict(adapter.named_parameters())["ending.bias.full"].fill_(0.25)
    (tmp_path / "zoo").mkdir()
    for name, share in (("brighten", 1.0), ("dehaze", -1.0)):
        for value in adapter.parameters():
            value.data.mul_(share)
        path = tmp_path / "zoo" / f"{name}.safetensors"
        save_adapter(path, adapter, foundation_fingerprint=foundation.fingerprint, task=name)
    monkeypatch.setenv("ADAIR_ZOO", str(tmp_path / "zoo"))
    rng = np.random.default_rng(0)
    for name in ("clean", "dark"):
        (tmp_path / name).mkdir()
    for i in range(3):
        cells = Image.fromarray(rng.integers(100, 250, (9, 11, 3), dtype=np.uint8))
        clean = np.asarray(cells.resize((128, 112), Image.Resampling.BICUBIC).convert("RGB")).clip(90, 250)
        Image.fromarray(clean).save(f"clean/{i}.png")
        Image.fromarray(clean - 64).save(f"dark/{i}.png")
    return tmp_path


def test_candidates_are_run_on_the_pairs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = TrainConfig().override(
        {
            "data.pairs": ("dark", "clean"),
            "network.foundation": Path("foundation.safetensors"),
            "device": "cpu",
            "precision": "fp32",
        }
    )
    found = recommend(config)
    assert found.start == "zoo/brighten" and found.ahead == found.images == 3 and found.data == ENOUGH
    assert next(iter(found.psnr)) == "zoo/brighten" and list(found.psnr)[-1] == "zoo/dehaze"
    assert found.psnr["foundation"] == pytest.approx(found.psnr["input"], abs=0.01)
    assert set(found.psnr) == {"input", "foundation", "zoo/brighten", "zoo/dehaze"}  # bundled ones do not fit
    words = ["--pairs", "dark", "clean", "--foundation", "foundation.safetensors", "--device", "cpu"]
    assert main(["adapt", "--advise", *words, "--precision", "fp32"]) == 0
    out = capsys.readouterr().out
    assert "start from: zoo/brighten (ahead on 3 of 3 pairs)" in out
    assert "train: adair adapt NAME --pairs DEGRADED CLEAN --start zoo/brighten" in out
    assert not list(folder.glob("*.html")), "nothing is trained"


def test_without_clean_images_the_estimator_judges(tmp_path: Path) -> None:
    for path in sorted(PHOTOS.glob("*.webp")):
        image = Image.open(path).convert("RGB")
        degrade(image.crop((0, 0, 400, 300)), "noise(sigma=30)", seed=0).save(tmp_path / f"{path.stem}.png")
    found = recommend(TrainConfig().override({"data.degraded_only": tmp_path}))
    assert (found.start, found.images, found.data) == ("denoise", 3, ENOUGH) and found.damage["denoise"] >= 2
    lines = found.lines()
    assert (
        "denoise: proposed for 3 of 3 images" in lines and lines[-1] == "train: adair adapt NAME --pairs DEGRADED CLEAN"
    )
    assert "try: adair restore PHOTO --task denoise" in lines


def test_what_the_estimator_does_not_know_is_left_to_pairs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Image.new("RGB", (128, 128), "gray").save(tmp_path / "flat.png")
    monkeypatch.setattr(module.Inspector, "inspect", lambda self, pixels: ())
    found = recommend(TrainConfig().override({"data.degraded_only": tmp_path}))
    assert found == Recommendation(None, MANY, 1)
    assert found.lines()[-1].endswith("--fresh")


def test_noise_comes_before_the_jpeg_that_it_is_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chances = {"noise": 0.8, "jpeg": 0.95}
    found = [Finding(kind, chances.get(kind.name, 0.01), kind.level(0.4)) for kind in DAMAGES]
    monkeypatch.setattr(
        module.Inspector, "inspect", lambda self, pixels: sorted(found, key=lambda one: -one.probability)
    )
    Image.new("RGB", (128, 128), "gray").save(tmp_path / "flat.png")
    assert recommend(TrainConfig().override({"data.degraded_only": tmp_path})).damage == {"denoise": 1}


def test_bad_use_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AdairError, match="--advise: give --pairs DEGRADED CLEAN, or --degraded-only FOLDER"):
        recommend(TrainConfig())
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(AdairError, match=r"broken\.png: cannot be read"):
        recommend(TrainConfig().override({"data.degraded_only": tmp_path}))
