"""The errors that a program can tell apart."""

from __future__ import annotations

import pytest

import adair
from adair import errors

KINDS = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, Exception) and value is not adair.AdairError
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_an_adair_error_and_public(kind: type[Exception]) -> None:
    assert issubclass(kind, adair.AdairError)
    assert getattr(adair, kind.__name__) is kind
    assert kind.__name__ in adair.__all__


def test_a_damaged_file_is_bad_input_and_missing_memory_is_not() -> None:
    assert issubclass(adair.FileFormatError, adair.InputError)
    assert not issubclass(adair.OutOfMemoryError, adair.InputError)
    assert not issubclass(adair.Interrupted, adair.InputError)
