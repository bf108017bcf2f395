"""What names mean, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from adair.errors import InputError
from adair.hub.reference import HubReference, WebReference, is_address, parse_reference

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hf://anna/scanner", HubReference("anna/scanner", None, None)),
        ("hf://anna/scanner/", HubReference("anna/scanner", None, None)),
        ("hf://anna/scan.2@v1", HubReference("anna/scan.2", "v1", None)),
        ("hf://anna/scanner@v1/a/b.safetensors", HubReference("anna/scanner", "v1", "a/b.safetensors")),
        ("https://example.org/a.safetensors", WebReference("https://example.org/a.safetensors", None)),
        (f"https://example.org/a#sha256={DIGEST}", WebReference("https://example.org/a", DIGEST)),
        ("http://127.0.0.1:8/a", WebReference("http://127.0.0.1:8/a", None)),
    ],
)
def test_names(name: str, expected: object) -> None:
    assert parse_reference(name) == expected
    assert parse_reference(Path(name)) == expected, "a path that was a name on its way"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hf://anna", "not a repository"),
        ("hf://anna/scanner/../other.safetensors", "not a repository"),
        ("hf://anna/scanner/pytorch_model.bin", "not a repository"),
        ("hf://../scanner", "not a repository"),
        ("http://example.org/a.safetensors", "use https"),
        ("https://example.org/a#sha256=12", "not a checksum"),
        ("https://example.org/a b", "not an address"),
        ("https://#a", "not an address"),
        ("https://[x/a.safetensors", "not an address"),
        ("https://example.org:x/a.safetensors", "not an address"),
        ("ftp://example.org/a", "not an address"),
    ],
)
def test_refused(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse_reference(name)


def test_paths_are_not_addresses() -> None:
    assert not any(map(is_address, ("a.safetensors", "zoo/dehaze", "C:/a.safetensors", Path("hf/a"), "./https:")))


@pytest.mark.parametrize("address", ["https://example.org/", "https://example.org/..%2f", "https://example.org/a.bin"])
def test_odd_addresses_get_a_plain_file_name(address: str) -> None:
    assert parse_reference(address).file == "adapter.safetensors"
