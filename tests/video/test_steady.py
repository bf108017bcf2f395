"""Flicker: reduced where a still source is made to flicker more, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from adair.video.steady import Steady


def video(amount: float, speed: int = 0, frames: int = 10) -> list[np.ndarray]:
    """A texture with noise that differs in every frame, standing still or moving to the right."""
    rng = np.random.default_rng(0)
    texture = rng.normal(0, 30 * 257, (48, 64 + speed * frames, 3))
    return [
        (30000 + texture[:, speed * n : speed * n + 64] + rng.normal(0, amount * 257, (48, 64, 3)))
        .clip(0, 65535)
        .astype(np.uint16)
        for n in range(frames)
    ]


def sharper(frame: np.ndarray) -> np.ndarray:
    return (frame.astype(float) * 2 - 30000).clip(0, 65535).astype(np.uint16)


def smoother(frame: np.ndarray) -> np.ndarray:
    return (frame.astype(float) * 0.5 + 15000).astype(np.uint16)


def flicker(frames: list[np.ndarray]) -> float:
    return float(np.abs(np.diff([frame.astype(float).mean(2) for frame in frames], axis=0)).mean() / 257)


def run(frames: list[np.ndarray], change: Callable[[np.ndarray], np.ndarray]) -> tuple[list[np.ndarray], ...]:
    steady = Steady()
    restored = [change(frame) for frame in frames]
    return restored, [steady.apply(frame, one) for frame, one in zip(frames, restored, strict=True)]


def test_a_still_source_flickers_no_more_than_before() -> None:
    frames = video(1.0)
    restored, after = run(frames, sharper)
    assert flicker(restored) > 1.9 * flicker(frames)
    assert flicker(after) < 1.05 * flicker(frames)
    clean = np.mean([frame.astype(float) for frame in restored], axis=0)
    assert np.abs(after[-1] - clean).mean() < np.abs(restored[-1] - clean).mean()


@pytest.mark.parametrize(
    ("amount", "speed", "change"),
    [(1.0, 0, smoother), (1.0, 5, sharper), (20.0, 0, sharper)],
    ids=["denoised", "moving", "noisy"],
)
def test_denoised_moving_and_very_noisy_frames_stay(
    amount: float, speed: int, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    restored, after = run(video(amount, speed), change)
    for one, other in zip(restored, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_enlarged_frames_of_any_size() -> None:
    frames = [frame[:37, :51, :1] for frame in video(1.0)]
    restored, after = run(frames, lambda frame: sharper(frame).repeat(3, 0).repeat(3, 1))
    assert after[-1].shape == (111, 153, 1)
    assert flicker(after) < 0.6 * flicker(restored)


def test_a_cut_is_seen_at_once() -> None:
    frames = video(1.0, frames=3)
    other = [65535 - frame for frame in frames]
    restored, after = run(frames + other, sharper)
    np.testing.assert_array_equal(after[3], restored[3])
