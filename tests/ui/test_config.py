from __future__ import annotations

from pathlib import Path

import pytest

from adair.errors import InputError
from adair.ui.config import UiConfig


def test_loopback_unless_told_otherwise() -> None:
    assert UiConfig().loopback
    assert UiConfig(host="localhost").loopback
    assert not UiConfig(host="0.0.0.0").loopback


@pytest.mark.parametrize(
    "values", [{"port": 70000}, {"queue": 0}, {"max_megabytes": -1}, {"max_megapixels": float("nan")}]
)
def test_limits_are_checked(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(values))):
        UiConfig(**values)  # type: ignore[arg-type]


def test_folders_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        UiConfig(folders=(tmp_path / "missing",))
