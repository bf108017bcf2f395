"""The network and its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from adair.errors import AdairError
from adair.inspect import KINDS, Estimator, load_estimator, save_estimator
from adair.weights import bundled_estimator, read_header, write_safetensors


def test_a_file_gives_the_same_verdicts(estimator: Estimator, tmp_path: Path) -> None:
    path = tmp_path / "estimator.safetensors"
    save_estimator(path, estimator, {"training": {"steps": 3}})
    loaded = load_estimator(path)
    x = torch.rand(5, 3, 32, 40, generator=torch.Generator().manual_seed(1))
    for found, expected in zip(loaded(x), estimator(x), strict=True):
        assert found.shape == (5, len(KINDS))
        torch.testing.assert_close(found, expected, atol=0.01, rtol=0.01)
    assert read_header(path).metadata["card"] == {"training": {"steps": 3}}
    assert not loaded.training and not any(value.requires_grad for value in loaded.parameters())


def test_patches_are_judged_each_on_its_own(estimator: Estimator) -> None:
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    odds, severity = estimator(x)
    assert len(set(odds[:, 0].tolist())) == 4
    alone = estimator(x[2:3])
    torch.testing.assert_close(torch.stack(alone), torch.stack([odds[2:3], severity[2:3]]))


def test_faint_noise_is_seen(estimator: Estimator) -> None:
    """Half a level of 255 moves the verdict more than a change of brightness by as much."""
    flat = torch.full((1, 3, 32, 32), 0.5)
    grain = 0.5 / 255 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))
    brighter = flat + 0.5 / 255
    verdicts = {name: torch.stack(estimator(x)) for name, x in {"f": flat, "g": flat + grain, "b": brighter}.items()}
    assert (verdicts["g"] - verdicts["f"]).norm() > 10 * (verdicts["b"] - verdicts["f"]).norm()


def test_files_that_are_no_estimator_are_refused(estimator: Estimator, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    write_safetensors(path, {"x": torch.zeros(1)}, {"kind": "adapter"})
    with pytest.raises(AdairError, match=r"other\.safetensors: is no estimator but adapter"):
        load_estimator(path)
    for metadata in ({"width": 4, "kinds": ["fog"]}, {"width": 10**9, "kinds": [kind.name for kind in KINDS]}, {}):
        write_safetensors(path, {"x": torch.zeros(1)}, {"kind": "estimator", **metadata})
        with pytest.raises(AdairError, match="another version"):
            load_estimator(path)
    write_safetensors(
        path, {"x": torch.zeros(1)}, {"kind": "estimator", "width": 4, "kinds": [kind.name for kind in KINDS]}
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
    assert sum(value.numel() for value in load_estimator().parameters()) < 250_000
