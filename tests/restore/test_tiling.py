"""Tiles: how they are chosen, where they lie, that they add up, and what happens when memory runs out."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adair.backbones import CELL
from adair.errors import AdairError
from adair.restore.tiling import (
    MOST_PIXELS,
    OVERLAP,
    SMALLEST,
    Tiler,
    choose_tile,
    fade,
    is_out_of_memory,
    overlap_of,
    split,
)


def run(tiler: Tiler, image: Tensor) -> Tensor:
    """Restore (3, H, W) and put the finished lines together; every line must come exactly once, in order."""
    height, width = image.shape[1:]
    lines: list[Tensor] = []

    def store(top: int, strip: Tensor) -> None:
        assert top == sum(line.shape[1] for line in lines)
        lines.append(strip.clone())

    tiler.run(height, width, lambda top, left, bottom, right: image[None, :, top:bottom, left:right], store)
    return torch.cat(lines, 1)


@settings(deadline=None, max_examples=200)
@given(length=st.integers(1, 5000), cells=st.integers(6, 20), shared=st.integers(1, 3))
def test_spans_cover_everything_on_the_grid(length: int, cells: int, shared: int) -> None:
    tile, overlap = cells * CELL, shared * CELL
    spans = split(length, tile, overlap)
    assert spans[0][0] == 0
    assert spans[-1][1] == length
    assert all(start % CELL == 0 and 0 < stop - start <= tile for start, stop in spans)
    assert all(before[1] - after[0] == overlap for before, after in itertools.pairwise(spans))
    total = torch.zeros(length)
    for span in spans:
        total[span[0] : span[1]] += fade(span, length, overlap)
    torch.testing.assert_close(total, torch.ones(length))


def test_no_more_tiles_than_needed() -> None:
    assert split(1024, 1024, 64) == [(0, 1024)]
    assert [stop - start for start, stop in split(1100, 1024, 64)] == [608, 556]
    assert len(split(6000, 1024, 64)) == 7


def test_weights_rise_smoothly_and_spare_the_outer_part_of_the_overlap() -> None:
    weight = fade((192, 800), 2000, 192)
    assert weight[:80].max() == weight[-80:].max() == 0
    assert weight[112:-112].min() == 1
    assert weight.diff().abs().max() < 0.06


def test_an_image_that_fits_is_one_tile() -> None:
    assert choose_tile(866, 1155, 1_100_000) == (866, 1155)
    assert choose_tile(1, 20000, 1_000_000) == (1, 20000)


def test_tiles_are_as_few_as_memory_allows() -> None:
    assert split(1155, choose_tile(866, 1155, 600_000)[1], OVERLAP)[0][1] < 700  # two halves, not four quarters
    assert choose_tile(866, 1155, 600_000)[0] == 866
    assert choose_tile(1000, 1000, 0) == (SMALLEST, SMALLEST)


def test_a_row_of_tiles_of_400_megapixels_is_low() -> None:
    """Three channels of float32 across the whole image: 222 MB, where the least work would take 310."""
    down, across = choose_tile(17320, 23094, 1_078_000)
    assert 12 * 23094 * down < 225e6
    work = [sum(b - a for a, b in split(side, tile, OVERLAP)) for side, tile in ((17320, down), (23094, across))]
    assert work[0] * work[1] < 1.52 * 17320 * 23094


@settings(deadline=None, max_examples=60)
@given(height=st.integers(1, 6000), width=st.integers(1, 6000), most=st.integers(10**5, 10**7))
def test_tiles_stay_within_memory(height: int, width: int, most: int) -> None:
    tile = choose_tile(height, width, most)
    spans = [split(side, length, overlap_of(length)) for side, length in zip((height, width), tile, strict=True)]
    tallest, widest = (max(stop - start for start, stop in span) for span in spans)
    assert tallest * widest <= max(min(most, MOST_PIXELS), SMALLEST**2)


@settings(deadline=None, max_examples=30)
@given(height=st.integers(1, 400), width=st.integers(1, 400), tile=st.integers(1, 300), batch=st.integers(1, 3))
def test_a_pixelwise_network_does_not_see_the_tiles(height: int, width: int, tile: int, batch: int) -> None:
    image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(height))
    result = run(Tiler(lambda x: x * 0.5 + 0.1, (tile, 2 * tile), batch=batch), image)
    torch.testing.assert_close(result, image * 0.5 + 0.1)


def test_tiles_of_one_width_go_through_together() -> None:
    shapes = []

    def network(x: Tensor) -> Tensor:
        shapes.append(tuple(x.shape))
        return x

    run(Tiler(network, (128, 128), batch=4), torch.rand(3, 40, 500))
    assert [shape[0] for shape in shapes] == [4, 2, 1]
    assert {shape[2] for shape in shapes} == {40}


def test_progress_counts_up_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    tiler = Tiler(lambda x: x, (128, 128))
    tiler.run(300, 300, lambda t, l, b, r: torch.zeros(1, 3, b - t, r - l), lambda *_: None, lambda *a: seen.append(a))  # noqa: E741
    assert seen == [(i + 1, 16) for i in range(16)]


OUT_OF_MEMORY = [
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
@pytest.mark.parametrize("batch", [1, 4])
def test_out_of_memory_means_smaller_tiles_and_keeps_what_is_done(error: Exception, batch: int) -> None:
    image = torch.rand(3, 600, 700)
    done: list[tuple[int, ...]] = []
    fails_from = 3  # the first tiles fit, then another program takes the memory

    def network(x: Tensor) -> Tensor:
        if len(done) >= fails_from and x.shape[0] * x.shape[2] * x.shape[3] > 200 * 200:
            raise error
        done.append(tuple(x.shape))
        return x + 0.25

    tiler = Tiler(network, (384, 384), batch=batch)
    torch.testing.assert_close(run(tiler, image), image + 0.25)
    assert min(tiler.tile) <= 192
    large = [shape for shape in done if shape[2] * shape[3] > 200 * 200]
    assert len(large) <= fails_from + (batch > 1)
    assert len(done) > fails_from


def test_not_even_the_smallest_tile_is_an_error_with_a_way_out() -> None:
    def network(x: Tensor) -> Tensor:
        raise MemoryError

    with pytest.raises(AdairError, match=r"not enough memory to restore even .* close other programs"):
        run(Tiler(network, (512, 512)), torch.rand(3, 500, 500))


def test_other_errors_are_not_taken_for_missing_memory() -> None:
    def network(x: Tensor) -> Tensor:
        raise RuntimeError("Sizes of tensors must match")

    with pytest.raises(RuntimeError, match="must match"):
        run(Tiler(network, (512, 512)), torch.rand(3, 50, 50))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_only_a_row_of_tiles_is_in_memory() -> None:
    tallest = 0

    def store(top: int, lines: Tensor) -> None:
        nonlocal tallest
        tallest = max(tallest, lines.shape[1])

    Tiler(lambda x: x, (256, 256)).run(3000, 64, lambda t, l, b, r: torch.zeros(1, 3, b - t, r - l), store)  # noqa: E741
    assert tallest <= 256
