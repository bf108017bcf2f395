"""JPEG is libjpeg's on the CPU, and within its rounding in batch."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.degradations import parse_recipe
from adair.degradations.jpeg import _on_device
from adair.degradations.jpeg_batch import jpeg_batch
from adair.metrics import psnr, quantise


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def smooth(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    """Random 8-bit pictures with structure at several sizes."""
    x = torch.zeros(count, channels, height, width)
    for cell in (32, 8, 2):
        coarse = torch.rand(count, channels, height // cell + 2, width // cell + 2, generator=seeded(cell))
        fine = torch.nn.functional.interpolate(coarse, scale_factor=cell, mode="bilinear")
        x += fine[..., :height, :width] / 3
    return quantise(x)


def pillow(x: torch.Tensor, quality: int, chroma: int) -> torch.Tensor:
    """Each image of (N, C, H, W) through Pillow, as a user would do it."""
    results = []
    for one in x:
        pixels = one.mul(255).round().byte().permute(1, 2, 0).numpy()
        file = io.BytesIO()
        image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
        image.save(file, "JPEG", quality=quality, subsampling={420: "4:2:0", 444: "4:4:4"}[chroma])
        results.append(torch.from_numpy(np.atleast_3d(np.array(Image.open(file)))).permute(2, 0, 1))
    return torch.stack(results).float() / 255


@pytest.mark.parametrize("quality", [1, 10, 50, 75, 100])
@pytest.mark.parametrize("chroma", [420, 444])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_operator_is_pillow(quality: int, chroma: int, channels: int) -> None:
    x = smooth(2, channels, 37, 50)
    ours = parse_recipe(f"jpeg(quality={quality}, chroma={chroma})").apply(x, seeded())
    assert torch.equal(ours, pillow(x, quality, chroma))


def test_other_channel_counts_are_gray_images_of_their_own() -> None:
    x = smooth(2, 4, 20, 24)
    ours = parse_recipe("jpeg(quality=30)").apply(x, seeded())
    assert torch.equal(ours[:, 3:], pillow(x[:, 3:], 30, 444))


@pytest.mark.parametrize("quality", [5, 10, 30, 49, 50, 75, 95, 100])
@pytest.mark.parametrize("chroma", [420, 444])
@pytest.mark.parametrize("size", [(64, 64), (45, 83), (9, 3), (5, 5), (1, 1)])
def test_the_batch_is_within_45_db_of_libjpeg(quality: int, chroma: int, size: tuple[int, int]) -> None:
    for channels in (1, 3):
        x = smooth(3, channels, *size)
        ours = jpeg_batch((x * 255).round(), torch.full((3,), float(quality)), halve=chroma == 420) / 255
        assert psnr(ours, pillow(x, quality, chroma)).min() > 45


def test_the_batch_gives_every_sample_its_quality() -> None:
    x = (smooth(3, 3, 40, 40) * 255).round()
    quality = torch.tensor([10.0, 50.0, 90.0])
    together = jpeg_batch(x, quality, halve=True)
    apart = torch.cat([jpeg_batch(x[i : i + 1], quality[i : i + 1], halve=True) for i in range(3)])
    assert (together - apart).abs().max() <= 1


def test_the_batch_on_photos(shared: Path) -> None:
    for path in sorted((shared / "data/test/LIVE1").iterdir())[:3]:
        x = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
        for quality in (10, 40, 80):
            ours = jpeg_batch((x * 255).round(), torch.tensor([float(quality)]), halve=True) / 255
            assert psnr(ours, pillow(x, quality, 420)).min() > 48


@pytest.mark.parametrize("device", ["libjpeg", "batch"])
def test_the_grid_of_blocks_moves(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps between neighbours are largest across the borders of blocks: these are where ``right`` and ``down`` say."""
    if device == "batch":
        monkeypatch.setattr("adair.degradations.jpeg._on_cpu", _on_device)
    ramp = torch.linspace(0.2, 0.8, 64).expand(2, 3, 64, 64)
    x = (ramp + ramp.transpose(2, 3)) / 2
    coded = parse_recipe("jpeg(quality=5, right={0, 3}, down=5)").apply(x, seeded(2))
    starts = set()
    for sample in coded:
        steps = sample.diff(dim=2).abs().mean(dim=(0, 1))
        starts.add(int((steps.argmax() + 1) % 8))
        rows = sample.diff(dim=1).abs().mean(dim=(0, 2))
        assert int((rows.argmax() + 1) % 8) == (8 - 5) % 8
    assert len(starts) == 2


def test_a_moved_grid_is_a_cropped_file() -> None:
    x = torch.rand(1, 3, 41, 50, generator=seeded()).mul(255).round() / 255
    moved = parse_recipe("jpeg(quality=40, right=3, down=5, chroma=444)").apply(x, seeded())
    wide = torch.nn.functional.pad(x, (3, 4, 5, 2), mode="replicate")
    assert torch.equal(moved, parse_recipe("jpeg(quality=40, chroma=444)").apply(wide, seeded())[..., 5:46, 3:53])


def test_a_file_of_another_size_has_other_blocks() -> None:
    x = smooth(3, 3, 48, 48)
    same, small, large = (
        parse_recipe(f"jpeg(quality=90, chroma=444, size={size})").apply(x, seeded()) for size in (1, 0.5, 2)
    )
    assert psnr(small, x).mean() < psnr(same, x).mean() - 2, "half the size keeps no fine detail"
    assert psnr(large, x).mean() > psnr(same, x).mean()
    mixed = parse_recipe("jpeg(quality=90, size={1, 2})").apply(x[:1].expand(8, -1, -1, -1), seeded())
    assert len({tuple(sample.flatten().tolist()) for sample in mixed}) == 2
