"""The network and its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from adair.errors import AdairError
from adair.inspect import Estimator, load_estimator, save_estimator
from adair.inspect.estimator import BANDS
from adair.tasks import DAMAGES
from adair.weights import bundled_estimator, read_header, write_safetensors


def test_a_file_gives_the_same_verdicts(estimator: Estimator, tmp_path: Path) -> None:
    path = tmp_path / "estimator.safetensors"
    save_estimator(path, estimator, {"training": {"steps": 3}})
    loaded = load_estimator(path)
    x = torch.rand(5, 2, 3, 96, 104, generator=torch.Generator().manual_seed(1))
    for found, expected in zip(loaded(x), estimator(x), strict=True):
        assert found.shape == (5, len(DAMAGES))
        torch.testing.assert_close(found, expected, atol=0.01, rtol=0.01)
    assert read_header(path).metadata["card"] == {"training": {"steps": 3}}
    assert not loaded.training and not any(value.requires_grad for value in loaded.parameters())


def test_images_are_judged_each_on_its_own_by_all_their_patches(estimator: Estimator) -> None:
    x = torch.rand(4, 3, 3, 48, 48, generator=torch.Generator().manual_seed(1)) ** torch.arange(1, 5).view(
        -1, 1, 1, 1, 1
    )
    verdicts = torch.stack(estimator(x))
    assert len(set(verdicts[0, :, 0].tolist())) == 4
    torch.testing.assert_close(torch.stack(estimator(x[2:3])), verdicts[:, 2:3])
    torch.testing.assert_close(torch.stack(estimator(x.flip(1))), verdicts)  # the order of patches is nothing
    assert not torch.allclose(torch.stack(estimator(x[:, :1])), verdicts)


def test_faint_noise_is_seen(estimator: Estimator) -> None:
    """Half a level of 255 changes more of what is seen than a change of brightness by as much."""
    flat = torch.full((1, 1, 3, 96, 96), 0.5)
    grain = 0.5 / 255 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))
    seen, grainy, brighter = (estimator.features(x) for x in (flat, flat + grain, flat + 0.5 / 255))
    assert (grainy - seen).norm() > 10 * (brighter - seen).norm()


def test_the_spectrum_tells_where_the_power_is(estimator: Estimator) -> None:
    """A wave has its power at its own frequency: 1/8 of the way up a quarter of the bands across."""
    wave = 0.5 + 0.2 * torch.sin(2 * torch.pi / 8 * torch.arange(96.0)).expand(1, 1, 3, 96, 96)
    bands = BANDS[0] * BANDS[1]
    for x, peak in ((wave, (BANDS[0] // 2, BANDS[1] // 4)), (wave.mT, (BANDS[0] * 5 // 8, 0))):
        power = estimator.features(x)[0, -bands:].view(BANDS)
        strongest = divmod(int(power.argmax()), BANDS[1])
        mirrored = (BANDS[0] - 1 - strongest[0], strongest[1])  # power is symmetric in the vertical frequency
        assert min(abs(one[0] - peak[0]) + abs(one[1] - peak[1]) for one in (strongest, mirrored)) <= 1


def test_files_that_are_no_estimator_are_refused(estimator: Estimator, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    write_safetensors(path, {"x": torch.zeros(1)}, {"kind": "adapter"})
    with pytest.raises(AdairError, match=r"other\.safetensors: is not an estimator, but adapter"):
        load_estimator(path)
    for metadata in (
        {"width": 4, "kinds": ["fog"]},
        {"width": 10**9, "kinds": [damage.name for damage in DAMAGES]},
        {},
    ):
        write_safetensors(path, {"x": torch.zeros(1)}, {"kind": "estimator", **metadata})
        with pytest.raises(AdairError, match="another version"):
            load_estimator(path)
    write_safetensors(
        path, {"x": torch.zeros(1)}, {"kind": "estimator", "width": 4, "kinds": [damage.name for damage in DAMAGES]}
    )
    with pytest.raises(AdairError, match="lacks tensor"):
        load_estimator(path)


def test_broken_weights_are_not_written(estimator: Estimator, tmp_path: Path) -> None:
    estimator.verdict.bias[0] = torch.nan
    with pytest.raises(AdairError, match="NaN"):
        save_estimator(tmp_path / "estimator.safetensors", estimator)
    assert list(tmp_path.iterdir()) == []


def test_the_bundled_estimator_is_small() -> None:
    assert bundled_estimator().stat().st_size < 1e6
    assert sum(value.numel() for value in load_estimator().parameters()) < 300_000
