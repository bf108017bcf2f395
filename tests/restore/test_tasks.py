"""The language of tasks: what can be written, what it means, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adair.adapters import create_adapter, save_adapter
from adair.errors import AdairError, InputError, NonFiniteOutputError
from adair.restore import RestoreOptions, Restorer, parse_task
from adair.restore.tasks import check_scale

KNOWN = ("deblur", "dejpeg", "denoise", "sr")


@pytest.mark.parametrize(
    ("task", "steps"),
    [
        ("denoise", [{"denoise": 1}]),
        (" denoise ", [{"denoise": 1}]),
        ("foundation", [{}]),
        ("denoise=0.7,dejpeg=0.3", [{"denoise": 0.7, "dejpeg": 0.3}]),
        ({"denoise": 0.7}, [{"denoise": 0.7}]),
        ("dejpeg > denoise", [{"dejpeg": 1}, {"denoise": 1}]),
        ("dejpeg>denoise=0.5 >sr", [{"dejpeg": 1}, {"denoise": 0.5}, {"sr": 1}]),
        (["dejpeg", "denoise"], [{"dejpeg": 1}, {"denoise": 1}]),
        (("dejpeg", {"denoise": 0.5, "deblur": 0.5}), [{"dejpeg": 1}, {"denoise": 0.5, "deblur": 0.5}]),
        (["dejpeg > denoise", "foundation"], [{"dejpeg": 1}, {"denoise": 1}, {}]),
        ("denoise > denoise", [{"denoise": 1}, {"denoise": 1}]),
    ],
)
def test_what_can_be_written(task: Any, steps: list[dict[str, float]]) -> None:
    assert list(parse_task(task, KNOWN)) == steps


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("denoise,deblur", "write 'denoise > deblur' for one after the other, or 'denoise=0.5,deblur=0.5' for a blend"),
        ("denoise,deblur=0.5", "write 'denoise > deblur'"),
        ("denoise=1,deblur=1", "add up to 2, more than 1; write 'denoise=0.5,deblur=0.5', or 'denoise > deblur'"),
        ({"denoise": 0.8, "deblur": 0.8}, "add up to 1.6"),
        ("denoise >", "a part without a name"),
        ("> denoise", "a part without a name"),
        ("denoise > > deblur", "a part without a name"),
        ("denoise > dblur", "unknown task 'dblur'; did you mean 'deblur'"),
        ("auto > denoise", "use it alone"),
        (["auto"], "use it alone"),
        ("auto,denoise", "use it alone, or leave it out"),
        ("denoise=0.5,auto=0.5", "use it alone, or leave it out"),
        ("auto", "chooses adapters for each image, which is not possible here; name a task"),
        ("sr > denoise > sr", "contains 'sr' twice"),
        (" > ".join(["denoise"] * 9), "9 steps; 8 at most"),
        ([], "no task named"),
        ([[]], "is a list"),
        (["denoise", ""], "no task named"),
        (None, "is a NoneType"),
        (3, "is a int"),
        (b"denoise", "is a bytes"),
        ({3: 1.0}, "unknown task '3'"),
        ({"denoise": None}, "not a finite number"),
        ({"denoise": [1]}, "not a finite number"),
    ],
)
def test_what_is_refused_in_one_line(task: Any, words: str) -> None:
    with pytest.raises(InputError) as error:
        parse_task(task, KNOWN)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@given(st.one_of(st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.floats()), st.binary(), st.integers()))
def test_anything_is_steps_or_an_error_that_says_why(task: Any) -> None:
    try:
        steps = parse_task(task, KNOWN)
    except AdairError:
        return
    assert all(0 <= strength <= 1 for blend in steps for strength in blend.values())


def test_thirds_add_up_to_one() -> None:
    parse_task({"denoise": 1 / 3, "dejpeg": 1 / 3, "deblur": 1 / 3}, KNOWN)
    parse_task("denoise=0.33,dejpeg=0.33,deblur=0.34", KNOWN)


def test_steps_follow_each_other(restorer: Restorer, photo: np.ndarray) -> None:
    expected = restorer.restore(restorer.restore(photo, "dejpeg"), "denoise")
    for task in ("dejpeg > denoise", ["dejpeg", "denoise"], ({"dejpeg": 1.0}, "denoise")):
        np.testing.assert_array_equal(restorer.restore(photo, task), expected)
    assert not np.array_equal(restorer.restore(photo, "denoise > dejpeg"), expected)


@pytest.mark.parametrize("task", ["denoise > sr", "sr > denoise"])
def test_a_sequence_enlarges_once_where_sr_stands(restorer: Restorer, photo: np.ndarray, task: str) -> None:
    small = np.dstack([photo[:20, :30], photo[:20, :30, :1]])
    first, second = task.split(" > ")
    sides = {"sr": 3}
    expected = restorer.restore(restorer.restore(small, first, sides.get(first)), second, sides.get(second))
    result = restorer.restore(small, task, scale=3)
    assert result.shape == (60, 90, 4)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("task", ["denoise > sr", "sr > denoise"])
def test_strength_mixes_the_enlarged_image_and_the_end_of_a_sequence(
    restorer: Restorer, photo: np.ndarray, task: str
) -> None:
    x = torch.from_numpy(photo[:20, :30].copy()).permute(2, 0, 1)[None].float() / 255
    none, half, full = (restorer.restore(x, task, scale=2, strength=value) for value in (0, 0.5, 1))
    torch.testing.assert_close(half, none + 0.5 * (full - none), atol=1e-6, rtol=0)


def test_progress_of_a_sequence_ends_at_the_end(restorer: Restorer, photo: np.ndarray) -> None:
    seen: list[float] = []
    image = np.tile(photo, (3, 2, 1))
    restorer.restore(image, "sr > denoise", tile=128, progress=lambda done, total: seen.append(done / total))
    assert seen == sorted(seen)
    assert seen[-1] == 1


@pytest.mark.parametrize(
    ("options", "label"),
    [
        (RestoreOptions("denoise"), "denoise"),
        (RestoreOptions({"denoise": 0.7, "dejpeg": 0.3}), "denoise0.7+dejpeg0.3"),
        (RestoreOptions("dejpeg > denoise"), "dejpeg_denoise"),
        (RestoreOptions("denoise > sr", scale=3, strength=0.5), "denoise_sr-x3-s0.5"),
        (RestoreOptions("sr", scale=1, ensemble=True), "sr-ensemble"),
        (RestoreOptions("auto", strength=0.8), "auto-s0.8"),
        (RestoreOptions("foundation"), "foundation"),
    ],
)
def test_labels_tell_settings_apart(restorer: Restorer, options: RestoreOptions, label: str) -> None:
    assert restorer.check(options) == label


@pytest.mark.parametrize("settings", [{"strength": "1"}, {"strength": True}, {"tile": "8"}, {"scale": "2"}])
def test_options_of_the_wrong_type_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="is not a number"):
        RestoreOptions("sr", **settings)


def test_a_network_that_returns_no_numbers_is_an_error_that_names_the_adapter(
    restorer: Restorer, photo: np.ndarray, tmp_path: Path
) -> None:
    """A file can hold only finite values, but huge ones overflow."""
    adapter = create_adapter("merge", restorer.foundation.model)
    for parameter in adapter.parameters():
        parameter.data.fill_(60000.0)
    path = tmp_path / "huge.safetensors"
    save_adapter(path, adapter, foundation_fingerprint=restorer.foundation.fingerprint, task="huge")
    restorer.add_adapter(path)
    with pytest.raises(NonFiniteOutputError, match=r"'huge': the network returned NaN or infinity"):
        restorer.restore(photo, "denoise > huge")
    assert restorer.restore(photo, "denoise").shape == photo.shape


def test_aliases_ask_for_their_task() -> None:
    assert parse_task("upscale", ["sr"]) == ({"sr": 1.0},)
    assert parse_task("super-resolution=0.5,dejpeg=0.5", ["sr", "dejpeg"]) == ({"sr": 0.5, "dejpeg": 0.5},)
    assert check_scale(3, parse_task("dejpeg > upscale", ["sr", "dejpeg"])) == 3


def test_an_adapter_that_is_called_like_an_alias_comes_first() -> None:
    assert parse_task("upscale", ["sr", "upscale"]) == ({"upscale": 1.0},)


def test_one_task_by_two_names_is_refused() -> None:
    with pytest.raises(InputError, match="'sr' is given twice"):
        parse_task({"sr": 0.5, "upscale": 0.5}, ["sr"])
