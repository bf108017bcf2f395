from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adair.degradations import parse_recipe
from adair.errors import AdairError
from adair.train.batches import Batches, Patches
from adair.train.objectives import GivenPairs, Objective, SyntheticPairs, ToneAndDetail
from adair.train.photos import PhotoStore
from adair.train.selfsupervised import SelfSupervised
from adair.train.settings import RunSettings, Schedule

CPU = torch.device("cpu")
OBJECTIVE = SyntheticPairs(parse_recipe("noise(clip={true, false}) | blur | shuffle(resize, jpeg)?0.5"))


def same(one: tuple[torch.Tensor, torch.Tensor], other: tuple[torch.Tensor, torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_step_has_its_batch(photos: PhotoStore) -> None:
    """Whatever was made before, with the same seed; another step or seed gives another batch."""
    batches, again = Batches(photos, OBJECTIVE, 4, 1, CPU), Batches(photos, OBJECTIVE, 4, 1, CPU)
    first, seventh = batches.make(0, 32), batches.make(7, 24)
    assert [part.shape for part in seventh] == [(4, 3, 24, 24)] * 2
    assert same(again.make(7, 24), seventh)
    assert same(again.make(0, 32), first)
    assert not torch.equal(again.make(1, 32)[0], first[0])
    assert not torch.equal(Batches(photos, OBJECTIVE, 4, 2, CPU).make(0, 32)[0], first[0])


def test_any_seed_that_the_settings_allow_has_batches(photos: PhotoStore) -> None:
    """The largest ones as well, and small ones still have those of earlier versions."""
    largest = Batches(photos, OBJECTIVE, 2, 2**63 - 1, CPU)
    assert not torch.equal(largest.make(10**9, 16)[0], largest.make(10**9 + 1, 16)[0])
    patches = Patches(photos, CPU)
    for seed in (3, 10**13):
        made = Batches(photos, SyntheticPairs(parse_recipe("noise")), 2, seed, CPU).make(7, 16)[0]
        assert torch.equal(made, patches.draw(2, 16, seeded(seed * 1_000_003 + 7)))


def test_the_degraded_patches_belong_to_the_clean_ones(photos: PhotoStore) -> None:
    clean, degraded = Batches(photos, SyntheticPairs(parse_recipe("noise(sigma=5, clip=false)")), 8, 0, CPU).make(0, 32)
    assert (degraded - clean).std() * 255 == pytest.approx(5, rel=0.1)


@pytest.mark.parametrize(
    ("objective", "channels", "shrinks"),
    [
        (OBJECTIVE, 3, True),
        (ToneAndDetail(OBJECTIVE), 3, True),
        (GivenPairs(), 6, False),
        (SelfSupervised(), 3, False),
    ],
    ids=["recipe", "tonal", "pairs", "noisy"],
)
def test_only_clean_photos_are_seen_smaller(objective: Objective, channels: int, shrinks: bool) -> None:
    """The damage of given pictures lies in their pixels, and making them smaller would take it away."""
    pixels = np.random.default_rng(0).integers(0, 256, 700 * 700 * channels, dtype=np.uint8)
    photos = PhotoStore(pixels, ("one",), ((700, 700),), (0,), channels=channels)
    plain, shrinking = (Batches(photos, objective, 8, 0, CPU, shrink=shrink).make(0, 16) for shrink in (1, 2))
    assert same(plain, shrinking) is not shrinks


def test_shrinking_less_than_not_at_all_is_refused() -> None:
    with pytest.raises(AdairError, match="shrink 0 must be at least 1"):
        RunSettings(OBJECTIVE, Schedule(1e-3), steps=1, shrink=0)


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_processes_share_a_batch(photos: PhotoStore, processes: int) -> None:
    whole = Batches(photos, OBJECTIVE, 5, 0, CPU).make(3, 24)
    parts = [Batches(photos, OBJECTIVE, 5, 0, CPU, share=(rank, processes)).make(3, 24) for rank in range(processes)]
    assert same((torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])), whole)
    assert all(len(part[0]) >= 5 // processes for part in parts)


def test_made_ahead_is_the_same_and_in_another_thread(photos: PhotoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    makers = set()
    inside = Batches._make

    def spy(self: Batches, step: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
        makers.add(threading.current_thread())
        return inside(self, step, side)

    plain, ahead = Batches(photos, OBJECTIVE, 3, 0, CPU, ahead=False), Batches(photos, OBJECTIVE, 3, 0, CPU, ahead=True)
    wanted = [(0, 16), (1, 16), (2, 24), (1, 16), (2, 16)]  # a larger patch and a step back, as after a divergence
    expected = [plain.make(*one) for one in wanted]
    monkeypatch.setattr(Batches, "_make", spy)
    assert all(same(ahead.make(*one), other) for one, other in zip(wanted, expected, strict=True))
    assert makers and threading.main_thread() not in makers


def test_an_error_in_the_other_thread_reaches_the_caller(photos: PhotoStore) -> None:
    with pytest.raises(AdairError, match="downscale"):
        Batches(photos, SyntheticPairs(parse_recipe("downscale")), 2, 0, CPU, ahead=True).make(0, 16)


@pytest.mark.gpu
@pytest.mark.parametrize("resident", [True, False])
def test_a_batch_on_the_gpu(photos: PhotoStore, resident: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not resident:
        monkeypatch.setattr("adair.train.batches._GPU_SHARE", 0.0)
    batches, again = (Batches(photos, OBJECTIVE, 6, 0, torch.device("cuda")) for _ in range(2))
    for step in range(10):
        batches.make(step, 48)  # the first calls may set libraries up
    torch.cuda.set_sync_debug_mode("error")
    try:
        made = [batches.make(step, 48) for step in range(10)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(same(one, again.make(step, 48)) for step, one in enumerate(made))
    assert made[0][0].is_cuda
    assert torch.allclose(made[0][0].cpu(), Batches(photos, OBJECTIVE, 6, 0, CPU).make(0, 48)[0])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def store_of(*photos: np.ndarray) -> PhotoStore:
    offsets = tuple(int(x) for x in np.cumsum([0, *(photo.size for photo in photos[:-1])]))
    pixels = np.concatenate([photo.reshape(-1) for photo in photos]).astype(np.uint8)
    return PhotoStore(pixels, tuple(map(str, range(len(photos)))), tuple(p.shape[:2] for p in photos), offsets)


def counting(height: int, width: int) -> np.ndarray:
    """A photo whose pixels are (row, column, sum), so that every patch betrays where it came from."""
    row, column = np.mgrid[:height, :width]
    return np.stack([row, column, row + column], axis=2).astype(np.uint8)


def levels(patches: torch.Tensor) -> torch.Tensor:
    return patches.mul(255).round().to(torch.uint8)


@given(
    st.integers(1, 5),
    st.integers(16, 90),
    st.integers(0, 2**31),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.integers(1, 4),
)
@settings(deadline=None, max_examples=20)
def test_the_seed_decides_shape_and_range_hold(count: int, side: int, seed: int, texture: float, shrink: int) -> None:
    drawn = Patches(store_of(counting(64, 80), counting(970, 64 * 15)), CPU, texture, shrink)
    patches = drawn.draw(count, side, seeded(seed))
    assert patches.shape == (count, 3, side, side)
    assert patches.is_contiguous(memory_format=torch.channels_last)
    assert patches.min() >= 0 and patches.max() <= 1
    assert torch.equal(patches, drawn.draw(count, side, seeded(seed)))


def test_a_patch_is_a_turned_or_flipped_cut_of_a_photo() -> None:
    photo = torch.from_numpy(counting(20, 20)).permute(2, 0, 1)
    turned = [torch.rot90(photo, k, (1, 2)) for k in range(4)]
    turned += [t.flip(2) for t in turned]
    patches = levels(Patches(store_of(counting(20, 20)), CPU).draw(120, 20, seeded()))
    seen = {next(i for i, t in enumerate(turned) if torch.equal(t, patch)) for patch in patches}
    assert seen == set(range(8))


def test_every_place_of_every_photo_is_reached() -> None:
    """A patch holds neighbouring pixels of one photo, and all corners turn up."""
    small, large = counting(20, 18), counting(17, 24) + np.array([100, 100, 100], np.uint8)
    patches = levels(Patches(store_of(small, large), CPU).draw(600, 16, seeded())).int()
    assert torch.equal(patches[:, 2], (patches[:, 0] + patches[:, 1] - torch.where(patches[:, 0] >= 100, 100, 0)))
    corners = {tuple(patch[:2].amin(dim=(1, 2)).tolist()) for patch in patches}
    assert corners == {(row, column) for row in range(5) for column in range(3)} | {
        (100 + row, 100 + column) for row in range(2) for column in range(9)
    }


def test_small_photos_are_mirrored() -> None:
    photo = counting(10, 20)
    expected = np.pad(photo, ((0, 15), (0, 5), (0, 0)), mode="symmetric")
    wanted = torch.from_numpy(expected).permute(2, 0, 1)
    patches = levels(Patches(store_of(photo), CPU).draw(40, 25, seeded()))
    assert any(torch.equal(patch, wanted) for patch in patches)


def test_every_photo_counts_alike_whatever_its_size() -> None:
    small, large = np.zeros((64, 64, 3)), np.full((64, 640, 3), 255)
    share = Patches(store_of(small, large), CPU).draw(400, 16, seeded()).mean()
    assert 0.4 < share < 0.6


def test_large_photos_are_also_seen_smaller() -> None:
    """Steps between the pixels of a slope tell how much smaller; means of squares keep their place."""
    row, column = np.mgrid[:660, :700]
    slope = np.stack([row % 240, column % 240, np.zeros_like(row)], axis=2).astype(np.uint8)
    drawn = Patches(store_of(slope), CPU, shrink=3)  # 660 pixels are 320 pixels twice, not three times
    patches = levels(drawn.draw(200, 16, seeded())).int()
    along, down = patches[:, 0].diff(dim=2)[:, :15], patches[:, 0].diff(dim=1)[..., :15]  # one of them is the slope's
    steps = (along.abs() + down.abs()).flatten(1).median(dim=1)[0]
    assert set(steps.tolist()) == {1, 2}
    assert 0.4 < float((steps == 2).float().mean()) < 0.6
    assert patches[:, 2].max() == 0  # no channel strays into another


def test_small_photos_are_never_shrunk() -> None:
    store = store_of(counting(200, 250))
    plain, shrinking = Patches(store, CPU), Patches(store, CPU, shrink=4)
    assert torch.equal(plain.draw(20, 32, seeded()), shrinking.draw(20, 32, seeded()))


def test_textured_patches_come_more_often_when_asked() -> None:
    even = np.full((64, 64, 3), 128)
    busy = np.random.default_rng(0).integers(0, 256, (64, 64, 3))
    store = store_of(even, busy)

    def busy_share(texture: float) -> float:
        patches = Patches(store, CPU, texture).draw(400, 16, seeded())
        return float((patches.std(dim=(1, 2, 3)) > 0.05).float().mean())

    assert 0.4 < busy_share(0.0) < 0.6
    assert 0.65 < busy_share(0.5) < 0.8  # half of them 1 - 1/16
    assert busy_share(1.0) > 0.88


@pytest.mark.gpu
@pytest.mark.parametrize("texture", [0.0, 0.5])
@pytest.mark.parametrize("shrink", [1, 2])
@pytest.mark.parametrize("resident", [True, False])
def test_the_gpu_cuts_what_the_cpu_cuts(
    texture: float, shrink: int, resident: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not resident:
        monkeypatch.setattr("adair.train.batches._GPU_SHARE", 0.0)
    store = store_of(np.random.default_rng(0).integers(0, 256, (700, 680, 3)), counting(40, 64))
    here, there = (Patches(store, torch.device(name), texture, shrink) for name in ("cpu", "cuda"))
    assert there.resident == resident
    there.draw(12, 64, seeded(9))  # the first call may set libraries up
    torch.cuda.set_sync_debug_mode("error")
    try:
        patches = there.draw(12, 64, seeded(3))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(levels(patches.cpu()), levels(here.draw(12, 64, seeded(3))))
