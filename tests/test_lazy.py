from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import adair

PACKAGES = ("adair", "adair.hardware", "adair.restore", "adair.runtimes")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_found(package: str) -> None:
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in vars(module), "the second use costs nothing"


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(AttributeError, match="module 'adair' has no attribute 'restaurer'"):
        adair.restaurer  # noqa: B018


def test_nothing_is_imported_before_it_is_used() -> None:
    code = "import sys, adair.restore, adair.hardware, adair.runtimes; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
