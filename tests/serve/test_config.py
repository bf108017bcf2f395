"""The server's limits are checked when they are given."""

from __future__ import annotations

from typing import Any

import pytest

from adair.errors import InputError
from adair.serve.config import ServeConfig
from adair.serve.run import build_service
from adair.weights import bundled_adapters


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"queue": 0}, "queue 0"),
        ({"seconds": float("nan")}, "seconds nan"),
        ({"max_megapixels": float("inf")}, "max_megapixels inf"),
        ({"port": 70_000}, "port 70000"),
        ({"token": "short"}, "at least 16"),
        ({"token": "ä" * 20}, "ASCII"),
    ],
)
def test_unusable_limits(limits: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        ServeConfig(**limits)


@pytest.mark.parametrize(("host", "loopback"), [("127.0.0.1", 1), ("::1", 1), ("localhost", 1), ("0.0.0.0", 0)])
def test_loopback(host: str, loopback: int) -> None:
    assert ServeConfig(host).loopback == bool(loopback)


def test_the_token_is_not_shown() -> None:
    assert "correct" not in repr(ServeConfig(token="correct-horse-battery"))


def test_an_adapter_of_ones_own_takes_the_place_of_a_bundled_one() -> None:
    own = bundled_adapters()["denoise"]
    service = build_service(ServeConfig(port=0), adapters=[own])
    assert "denoise" in service.restorer.adapters
