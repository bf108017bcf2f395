"""Task "auto": what is found is done, in any kind of image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from adair.adapters import create_adapter, save_adapter
from adair.errors import AdairError
from adair.inspect import Finding, Inspector
from adair.restore import ImageFile, RestoreOptions, Restorer
from adair.tasks import DAMAGES
from adair.weights import load_foundation


class Told(Inspector):
    """Finds what it is told to, by the mean of the image: dark (0) or bright (1).

    Args:
        dark, bright: probabilities by kind.
        change: by how much the severity changes from one look to the next.
    """

    def __init__(self, dark: Mapping[str, float], bright: Mapping[str, float], change: float = -0.01) -> None:
        self.found, self.change, self.looks = (dark, bright), change, 0

    def inspect(self, pixels: np.ndarray) -> tuple[Finding, ...]:
        white = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(pixels.dtype, 1)
        chances = self.found[int(pixels.mean() / white > 0.5)]
        severity = 0.5 + self.change * self.looks
        self.looks += 1
        found = [Finding(kind, chances.get(kind.name, 0.01), kind.level(severity)) for kind in DAMAGES]
        return tuple(sorted(found, key=lambda finding: -finding.probability))


@pytest.fixture
def noisy(restorer: Restorer, model_files: Path) -> Restorer:
    """A restorer that finds noise in dark images and nothing in bright ones."""
    made = Restorer(restorer.foundation, None, "cpu", "fp32", Told({"noise": 0.9}, {}))
    for task in restorer.tasks:
        made.add_adapter(model_files / f"{task}.safetensors")
    return made


@pytest.fixture
def dark(photo: np.ndarray) -> np.ndarray:
    return photo // 2


def kinds_of(photo: np.ndarray) -> dict[str, Any]:
    tensor = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    return {
        "pil": Image.fromarray(photo),
        "gray pil": Image.fromarray(photo[..., 0]),
        "uint8": photo,
        "uint16": photo.astype(np.uint16) * 257,
        "float": photo / np.float32(255),
        "gray": photo[..., 0],
        "alpha": np.dstack([photo, photo[..., :1]]),
        "tensor": tensor,
        "file": ImageFile(photo),
    }


KINDS_OF_IMAGE = tuple(kinds_of(np.zeros((2, 2, 3), np.uint8)))


def pixels(image: Any) -> np.ndarray:
    return image.pixels if isinstance(image, ImageFile) else np.asarray(image)


@pytest.mark.parametrize("kind", KINDS_OF_IMAGE)
def test_what_is_found_is_done(noisy: Restorer, dark: np.ndarray, kind: str) -> None:
    image = kinds_of(dark)[kind]
    result = noisy.restore(image, "auto")
    assert type(result) is type(image)
    np.testing.assert_array_equal(pixels(result), pixels(noisy.restore(image, "denoise")))
    assert (pixels(result) != pixels(image)).any()


@pytest.mark.parametrize("kind", KINDS_OF_IMAGE)
def test_an_image_without_damage_comes_back_itself(noisy: Restorer, dark: np.ndarray, kind: str) -> None:
    image = kinds_of(255 - dark)[kind]
    assert noisy.restore(image, "auto") is image


def test_each_image_of_a_batch_gets_its_own(noisy: Restorer, dark: np.ndarray) -> None:
    x = torch.cat([kinds_of(dark)["tensor"], kinds_of(255 - dark)["tensor"]])
    result = noisy.restore(x, "auto")
    assert torch.equal(result[1], x[1])
    assert torch.equal(result[:1], noisy.restore(x[:1], "denoise"))
    assert [advice.plan for advice in noisy.inspect(x)] == [({"denoise": 1.0},), ()]


def test_sr_keeps_the_size(noisy: Restorer, dark: np.ndarray) -> None:
    noisy._inspector = Told({"resize": 0.9}, {})
    result = noisy.restore(dark, "auto")
    assert result.shape == dark.shape
    np.testing.assert_array_equal(result, noisy.restore(dark, "sr", scale=1))


def test_steps_follow_each_other(noisy: Restorer, dark: np.ndarray) -> None:
    noisy._inspector = Told({"resize": 0.9, "noise": 0.8}, {})
    seen: list[tuple[int, int]] = []
    result = noisy.restore(dark, "auto", tile=48, progress=lambda done, total: seen.append((done, total)))
    expected = noisy.restore(noisy.restore(dark, "denoise", tile=48), "sr", scale=1, tile=48)
    np.testing.assert_array_equal(result, expected)
    assert seen == sorted(seen) and seen[-1][0] == seen[-1][1] and len({total for _, total in seen}) == 1


def test_strength_holds_for_auto_too(noisy: Restorer, dark: np.ndarray) -> None:
    np.testing.assert_array_equal(noisy.restore(dark, "auto", strength=0), dark)
    wanted = noisy.restore(dark, "denoise", strength=0.5).astype(int)
    # The result is rounded before it is mixed, so that the second look sees all of it.
    assert np.abs(noisy.restore(dark, "auto", strength=0.5) - wanted).max() <= 1
    given = torch.from_numpy(dark).permute(2, 0, 1)[None] * 3.0 / 255 - 0.2  # unclipped noise
    half = noisy.restore(given, "auto", strength=0.5)
    torch.testing.assert_close(half, noisy.restore(given, "denoise", strength=0.5), atol=0.2, rtol=0)
    assert float(half.min()) >= 0 and float(half.max()) <= 1


def test_a_step_after_which_nothing_looks_better_is_taken_back(noisy: Restorer, dark: np.ndarray) -> None:
    noisy._inspector = Told({"noise": 0.9}, {"noise": 0.9}, change=0.01)
    outcome = noisy.run(dark, RestoreOptions("auto"))
    assert outcome.image is dark and outcome.advice[0].plan == () and outcome.advice[0].damage


class Uncovering(Told):
    """Finds the next of several things at each look, in whatever image."""

    def __init__(self, *looks: Mapping[str, float]) -> None:
        super().__init__({}, {})
        self.order = looks

    def inspect(self, pixels: np.ndarray) -> tuple[Finding, ...]:
        now = self.order[min(self.looks, len(self.order) - 1)]
        self.found = (now, now)
        return super().inspect(pixels)


def test_damage_that_a_step_uncovers_is_treated_too(noisy: Restorer, dark: np.ndarray) -> None:
    noisy._inspector = Uncovering({"noise": 0.9}, {"jpeg": 0.8}, {})
    seen: list[tuple[int, int]] = []
    outcome = noisy.run(dark, RestoreOptions("auto", tile=48), progress=lambda done, total: seen.append((done, total)))
    assert outcome.advice[0].plan == ({"denoise": 1.0}, {"dejpeg": 1.0})
    np.testing.assert_array_equal(
        outcome.image, noisy.restore(noisy.restore(dark, "denoise", tile=48), "dejpeg", tile=48)
    )
    assert seen[-1][0] == seen[-1][1] and [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_what_is_not_quite_known_is_left_to_the_foundation(noisy: Restorer, dark: np.ndarray) -> None:
    """Also if an adapter improved nothing; and if the foundation does not either, nothing is done."""
    wanted = noisy.restore(dark, "foundation")
    noisy._inspector = Uncovering({"noise": 0.9, "jpeg": 0.4}, {"jpeg": 0.3})
    outcome = noisy.run(dark, RestoreOptions("auto"))
    np.testing.assert_array_equal(outcome.image, wanted)
    assert outcome.advice[0].plan == ({"foundation": 1.0},)
    noisy._inspector = Uncovering({"noise": 0.9}, {"noise": 0.9, "rain": 0.9}, {"noise": 0.5})
    outcome = noisy.run(dark, RestoreOptions("auto"))
    np.testing.assert_array_equal(outcome.image, wanted)
    assert outcome.advice[0].plan == ({"foundation": 1.0},)
    noisy._inspector = Uncovering({"noise": 0.9, "jpeg": 0.4}, {"noise": 0.9, "rain": 0.9})
    assert noisy.run(dark, RestoreOptions("auto")).image is dark


def test_auto_is_checked_as_other_tasks_are(noisy: Restorer, dark: np.ndarray) -> None:
    assert noisy.check(RestoreOptions("auto")) == "auto"
    for arguments, words in [
        ({"scale": 2}, "scale 2: only task 'sr' enlarges"),
        ({"strength": 2.0}, "strength 2.0"),
        ({"tile": -1}, "tile -1"),
    ]:
        with pytest.raises(AdairError, match=words):
            noisy.restore(dark, "auto", **arguments)
    for blend in ({"auto": 1.0}, "auto=0.5,denoise=0.5"):
        with pytest.raises(AdairError, match="'auto' chooses adapters and strengths itself"):
            noisy.restore(dark, blend)


def test_a_restorer_without_adapters_says_so(restorer: Restorer, dark: np.ndarray) -> None:
    bare = Restorer(restorer.foundation, None, "cpu", "fp32", Told({}, {}))
    with pytest.raises(AdairError, match="no adapter for them is loaded"):
        bare.restore(dark, "auto")


def test_no_adapter_may_be_called_auto(restorer: Restorer, model_files: Path, tmp_path: Path) -> None:
    foundation = load_foundation(model_files / "foundation.safetensors")
    path = tmp_path / "mine.safetensors"
    adapter = create_adapter("merge", foundation.model)
    save_adapter(path, adapter, foundation_fingerprint=foundation.fingerprint, task="auto")
    with pytest.raises(AdairError, match="task name 'auto' is taken"):
        restorer.add_adapter(path)


def test_another_estimator_is_another_mark(restorer: Restorer) -> None:
    """Or files that were restored with the old one would count as done."""
    options = RestoreOptions("auto")
    other = Inspector()
    before, plain = restorer.mark(options), restorer.mark(RestoreOptions("denoise"))
    with torch.no_grad():
        other.estimator.verdict.bias.add_(0.5)
    restorer._inspector = other
    assert restorer.mark(options) != before and restorer.mark(RestoreOptions("denoise")) == plain
