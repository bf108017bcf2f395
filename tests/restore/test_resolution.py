"""Adapters that work at half the resolution, among others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from adair.adapters import create_adapter, save_adapter
from adair.backbones import complete_config
from adair.errors import AdairError
from adair.restore import Restorer
from adair.restore.deploy import bytes_per_pixel


@pytest.fixture
def restorer(restorer: Restorer, tmp_path: Path) -> Restorer:
    """With a task "half" too, whose adapter does something."""
    foundation = restorer.foundation
    adapter = create_adapter("merge", foundation.unshuffled(2).model)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for value in adapter.parameters():
            value.add_(torch.randn(value.shape, generator=generator) * 0.02)
    path = tmp_path / "half.safetensors"
    save_adapter(path, adapter, foundation_fingerprint=foundation.fingerprint, task="half")
    restorer.add_adapter(path)
    return restorer


def test_images_of_any_size(restorer: Restorer, photo: np.ndarray) -> None:
    for image in (photo, photo[:1, :1], photo[:33, :47], photo[..., 0]):
        restored = restorer.restore(image, "half")
        assert restored.shape == image.shape and restored.dtype == image.dtype
    assert not np.array_equal(restorer.restore(photo, "half"), photo)


def test_a_pixel_takes_less_memory() -> None:
    full, half = (bytes_per_pixel("nafnet", complete_config("nafnet"), torch.bfloat16, factor) for factor in (1, 2))
    assert 0.25 * full < half < 0.4 * full


def test_it_follows_and_precedes_others(restorer: Restorer, photo: np.ndarray) -> None:
    once = restorer.restore(restorer.restore(photo, "denoise"), "half")
    assert np.array_equal(restorer.restore(photo, "denoise > half"), once)
    assert restorer.restore(photo, "half > denoise").shape == photo.shape


def test_it_blends_with_its_like_only(restorer: Restorer, photo: np.ndarray) -> None:
    assert np.array_equal(restorer.restore(photo, "half=0"), restorer.restore(photo, "foundation"))
    weak = restorer.restore(photo, "half=0.5").astype(int)
    assert np.abs(weak - photo).mean() > 0
    with pytest.raises(AdairError, match=r"half, denoise: work at different resolutions.*half > denoise"):
        restorer.restore(photo, "half=0.5,denoise=0.5")


def test_it_cannot_be_merged_into_the_foundation_but_works_on_a_merged_one(
    restorer: Restorer, photo: np.ndarray
) -> None:
    with pytest.raises(AdairError, match="lower resolution"):
        restorer.merge_adapter("half")
    before = restorer.restore(photo, "half")
    restorer.merge_adapter("denoise")
    assert not np.array_equal(restorer.restore(photo, "half"), before)
    restorer.unmerge_adapter()
    assert np.array_equal(restorer.restore(photo, "half"), before)
