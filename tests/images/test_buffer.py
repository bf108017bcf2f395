"""Images that programs pass in, and what comes back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from adair.errors import InputError
from adair.images import open_image


@pytest.mark.parametrize(("mode", "kept"), [("RGB", True), ("P", True), ("PA", True), ("CMYK", False)])
def test_a_profile_stays_with_the_colours_that_it_describes(photo: np.ndarray, mode: str, kept: bool) -> None:
    image = Image.fromarray(photo).convert("P" if mode == "PA" else mode).convert(mode)
    image.info["icc_profile"] = b"a profile"
    buffers, close = open_image(image)
    assert ("icc_profile" in close(buffers).info) == kept


@pytest.mark.parametrize("shape", [(0, 3, 30, 30), (1, 3, 0, 30), (1, 0, 30, 30)])
def test_a_tensor_without_pixels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="is not an image"):
        open_image(torch.zeros(shape))
