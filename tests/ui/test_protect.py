from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adair.restore import RestoreOptions
from adair.ui.desk import Desk
from adair.ui.photo import options_for, preview
from adair.ui.protect import painted_mask
from adair.ui.wording import command_line


def layer(height: int, width: int) -> np.ndarray:
    """Red over the left half."""
    painted = np.zeros((height, width, 4), np.uint8)
    painted[:, : width // 2] = (224, 32, 32, 255)
    return painted


@pytest.mark.parametrize("editor", [None, {}, {"layers": []}, {"layers": [np.zeros((5, 5, 4), np.uint8)]}])
def test_nothing_painted_is_no_mask(editor: dict[str, object] | None) -> None:
    assert painted_mask(editor, (10, 10)) is None


@pytest.mark.parametrize("size", [(96, 64), (48, 32), (24, 16)])
def test_what_is_painted_over_is_black_at_the_size_of_the_photo(size: tuple[int, int]) -> None:
    mask = painted_mask({"layers": [layer(32, 48)]}, size)
    assert mask is not None
    assert mask.weights.shape == size[::-1]
    assert mask.weights[:, : size[0] // 2].max() == 0 and mask.weights[:, size[0] // 2 :].min() == 255


def test_soft_edges_and_several_layers_add_up() -> None:
    soft = layer(4, 4)
    soft[..., 3] //= 2
    mask = painted_mask({"layers": [soft, layer(4, 4)[:, ::-1]]}, (4, 4))
    assert mask is not None
    assert mask.weights[0].tolist() == [128, 128, 0, 0]


def test_previews_and_results_keep_what_is_painted_over(desk: Desk, upload: Callable[..., Path]) -> None:
    photo = desk.open(upload(size=(800, 500)))
    photo = replace(photo, mask=painted_mask({"layers": [layer(50, 80)]}, photo.size))
    before, after = preview(photo, RestoreOptions("denoise"), 0.5, 0.5, desk.restorer)
    changed = np.abs(after.astype(int) - before).max(axis=(0, 2)) > 0
    border = 400 - 208  # the part begins at the last multiple of 8 that centres it
    assert not changed[:border].any() and changed[border:].mean() > 0.9
    options = options_for("denoise", "2", 1.0, desk.restorer, 0.5, 1.0, photo.mask)
    work = desk.work(photo, options)
    work.start()
    work.join()
    assert work.wait().error is None
    words = command_line("photo.png", options, "photo.mask.png")
    assert words == "adair restore photo.png --task denoise --luma 0.5 --mask photo.mask.png"
