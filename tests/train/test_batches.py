from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from adair.degradations import parse_recipe
from adair.errors import AdairError
from adair.train.batches import Batches
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
