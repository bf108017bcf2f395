"""Luma and colour apart, and masks: what must not change does not, and what may changes as the formula says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from adair import RestoreOptions
from adair.cli.main import main
from adair.errors import InputError
from adair.images import ImageFile
from adair.restore import Restorer
from adair.restore.mask import Mask

BT601 = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def tensor(photo: np.ndarray) -> Tensor:
    """With colours well inside 0..1, so that nothing is clamped."""
    return torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255 * 0.5 + 0.25


def ycc(x: Tensor) -> Tensor:
    return torch.einsum("dc,nchw->ndhw", BT601, x)


def half_mask(height: int, width: int, dtype: Any = np.uint8) -> np.ndarray:
    mask = np.zeros((height, width), dtype)
    mask[:, width // 2 :] = 255 if dtype == np.uint8 else 1
    return mask


@pytest.mark.parametrize(("luma", "colour"), [(1.0, 0.0), (0.0, 1.0), (0.3, 0.8), (0.5, 0.5)])
@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_each_part_of_the_change_gets_its_share(
    restorer: Restorer, photo: np.ndarray, luma: float, colour: float, strength: float
) -> None:
    x = tensor(photo)
    full = restorer.restore(x, "denoise")
    mixed = restorer.restore(x, "denoise", strength=strength, luma=luma, colour=colour)
    shares = strength * torch.tensor([luma, colour, colour]).view(1, 3, 1, 1)
    expected = ycc(x) + shares * (ycc(full) - ycc(x))
    inside = ((full > 0) & (full < 1) & (mixed > 0) & (mixed < 1)).all(1, keepdim=True)
    torch.testing.assert_close(
        ycc(mixed)[inside.expand(-1, 3, -1, -1)], expected[inside.expand(-1, 3, -1, -1)], atol=2e-6, rtol=0
    )
    assert (full - x).abs().mean() > 1e-3


def test_gray_has_luma_only(restorer: Restorer, photo: np.ndarray) -> None:
    gray = photo[..., 0]
    np.testing.assert_array_equal(restorer.restore(gray, "denoise", colour=0), restorer.restore(gray, "denoise"))
    np.testing.assert_array_equal(
        restorer.restore(gray, "denoise", luma=0.5), restorer.restore(gray, "denoise", strength=0.5)
    )


@pytest.mark.parametrize("task", ["denoise", "dejpeg > denoise", "sr"])
def test_neither_luma_nor_colour_is_the_image_without_the_network(
    restorer: Restorer, photo: np.ndarray, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = restorer.restore(photo, task, strength=0)
    monkeypatch.setattr(restorer._pipeline, "run", None)
    np.testing.assert_array_equal(restorer.restore(photo, task, luma=0, colour=0), expected)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "gray16", "alpha", "float", "pil", "file"])
@pytest.mark.parametrize("tile", [0, 128])
def test_black_of_the_mask_stays_bit_by_bit(restorer: Restorer, photo: np.ndarray, kind: str, tile: int) -> None:
    rng = np.random.default_rng(0)
    large = np.tile(photo, (4, 3, 1))[:230, :260]
    sixteen = rng.integers(0, 65536, large.shape, dtype=np.uint16)
    image: Any = {
        "uint8": large,
        "uint16": sixteen,
        "gray16": sixteen[..., 0],
        "alpha": np.dstack([large, large[..., 0]]),
        "float": rng.normal(0.5, 0.5, large.shape).astype(np.float32),  # partly outside 0..1
        "pil": Image.fromarray(large),
        "file": ImageFile(sixteen),
    }[kind]
    mask = half_mask(230, 260)
    result = restorer.restore(image, "dejpeg > denoise", tile=tile, mask=mask)
    full = restorer.restore(image, "dejpeg > denoise", tile=tile)

    def values(one: Any) -> np.ndarray:
        return one.pixels if isinstance(one, ImageFile) else np.asarray(one)

    assert values(result)[:, :130].tobytes() == values(image)[:, :130].tobytes()
    assert values(result)[:, 130:].tobytes() == values(full)[:, 130:].tobytes()
    assert (values(result)[:, 130:] != values(image)[:, 130:]).mean() > 0.1


def test_gray_of_the_mask_is_in_between(restorer: Restorer, photo: np.ndarray) -> None:
    x = tensor(photo)
    mask = np.linspace(0, 1, photo.shape[1], dtype=np.float32)[None].repeat(photo.shape[0], axis=0)
    full = restorer.restore(x, "denoise")
    expected = x + 0.7 * torch.from_numpy(mask) * (full - x)
    torch.testing.assert_close(restorer.restore(x, "denoise", strength=0.7, mask=mask), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("scale", [2, 3])
def test_mask_is_enlarged_with_the_image(restorer: Restorer, photo: np.ndarray, scale: int) -> None:
    small = photo[:33, :41]
    mask = half_mask(33, 41)
    result = restorer.restore(small, "sr", scale, mask=mask, tile=128)
    edge = 20 * scale
    bicubic, full = restorer.restore(small, "sr", scale, strength=0), restorer.restore(small, "sr", scale, tile=128)
    np.testing.assert_array_equal(result[:, :edge], bicubic[:, :edge])
    np.testing.assert_array_equal(result[:, edge:], full[:, edge:])


def test_masks_of_all_kinds_agree(tmp_path: Path) -> None:
    array = half_mask(6, 8)
    for mode in ("L", "RGB", "RGBA", "1"):
        Image.fromarray(array).convert(mode).save(tmp_path / f"{mode}.png")
        assert np.array_equal(Mask.of(tmp_path / f"{mode}.png").weights, array)
    for value in (array, array > 0, array / 255, array.astype(np.uint16) * 257, array[..., None]):
        assert Mask.of(value).rows(2, 5, 1).tolist() == (array[2:5] / 255).tolist()
    assert Mask.of(array).digest == Mask.of(array.copy()).digest != Mask.of(array[:, ::-1]).digest


@pytest.mark.parametrize(
    "mask", [np.full((4, 4), 2.0), np.full((4, 4), np.nan), np.zeros((4, 4), np.int32), np.zeros(4)]
)
def test_bad_masks_are_refused(mask: np.ndarray) -> None:
    with pytest.raises(InputError, match="mask"):
        Mask.of(mask)


def test_mask_of_another_size_is_refused(restorer: Restorer, photo: np.ndarray) -> None:
    with pytest.raises(InputError, match="mask: is 4x3 pixels, the image"):
        restorer.restore(photo, "denoise", mask=np.zeros((3, 4), np.uint8))


@pytest.mark.parametrize(("name", "value"), [("luma", 1.5), ("colour", -0.1), ("luma", float("nan")), ("colour", True)])
def test_bad_amounts_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"^{name} "):
        RestoreOptions("denoise", **{name: value})


def test_label_and_mark_know_them(restorer: Restorer) -> None:
    mask = Mask.of(half_mask(4, 4))
    options = [
        RestoreOptions("denoise"),
        RestoreOptions("denoise", luma=0.5),
        RestoreOptions("denoise", colour=0.5),
        RestoreOptions("denoise", mask=mask),
        RestoreOptions("denoise", mask=Mask.of(half_mask(4, 6))),
    ]
    assert [restorer.check(one) for one in options[:4]] == ["denoise", "denoise-l0.5", "denoise-c0.5", "denoise-masked"]
    assert len({restorer.mark(one) for one in options}) == len(options)


def test_command(model_files: Path, photo: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(photo).save(tmp_path / "a.png")
    Image.fromarray(half_mask(*photo.shape[:2])).save(tmp_path / "mask.png")
    words = ["restore", str(tmp_path / "a.png"), "-t", "denoise", "--device", "cpu", "--precision", "fp32"]
    words += ["--foundation", str(model_files / "foundation.safetensors")]
    words += ["--adapter", str(model_files / "denoise.safetensors"), "--mask", str(tmp_path / "mask.png")]
    assert main([*words, "--luma", "0.4", "--colour", "0.9"]) == 0
    result = np.asarray(Image.open(tmp_path / "a.denoise-l0.4-c0.9-masked.png"))
    middle = photo.shape[1] // 2
    np.testing.assert_array_equal(result[:, :middle], photo[:, :middle])
    assert (result[:, middle:] != photo[:, middle:]).any()
    Image.fromarray(half_mask(3, 4)).save(tmp_path / "small.png")
    assert main([*words[:-1], str(tmp_path / "small.png")]) == 2
    assert "small.png: is 4x3 pixels" in capsys.readouterr().err
