"""Aliases of tasks, as a user may ask for them."""

from __future__ import annotations

import pytest

from adair.errors import InputError
from adair.restore.tasks import check_scale, parse_task


def test_aliases_ask_for_their_task() -> None:
    assert parse_task("upscale", ["sr"]) == {"sr": 1.0}
    assert parse_task("super-resolution=0.5,dejpeg", ["sr", "dejpeg"]) == {"sr": 0.5, "dejpeg": 1.0}
    assert check_scale(3, parse_task("upscale", ["sr"])) == 3


def test_an_adapter_that_is_called_like_an_alias_comes_first() -> None:
    assert parse_task("upscale", ["sr", "upscale"]) == {"upscale": 1.0}


def test_one_task_by_two_names_is_refused() -> None:
    with pytest.raises(InputError, match="'sr' is named twice"):
        parse_task({"sr": 0.5, "upscale": 0.5}, ["sr"])
