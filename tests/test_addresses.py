"""Who may use what listens: the user's programs and its own web pages, and no foreign ones."""

from __future__ import annotations

import pytest

from adair.addresses import is_loopback, refusal


def test_loopback() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.0.0.2", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.5", "photos.example")))


@pytest.mark.parametrize(
    ("listening", "host", "origin", "status"),
    [
        ("127.0.0.1", "127.0.0.1:7860", None, None),  # a program
        ("127.0.0.1", "localhost:7860", "http://localhost:7860", None),
        ("127.0.0.1", "localhost:9000", "http://localhost:9000", None),  # through a tunnel
        ("::1", "[::1]:7860", "http://[::1]:7860", None),
        ("127.0.0.2", "127.0.0.2:7860", "http://127.0.0.2:7860", None),
        ("0.0.0.0", "192.168.1.5:7860", "http://192.168.1.5:7860", None),
        ("0.0.0.0", "photos.example", "https://photos.example", None),  # through a proxy that keeps the Host header
        ("127.0.0.1", "evil.example:7860", None, 400),
        ("127.0.0.1", "evil.example:7860", "http://evil.example:7860", 400),
        ("127.0.0.1", "[::1", "http://[::1", 400),
        ("127.0.0.1", "", None, 400),
        ("127.0.0.1", "127.0.0.1:7860", "http://evil.example", 403),
        ("127.0.0.1", "127.0.0.1:7860", "http://127.0.0.1:8080", 403),  # another program's page
        ("127.0.0.1", "127.0.0.1:7860", "null", 403),
        ("0.0.0.0", "192.168.1.5:7860", "http://evil.example", 403),
    ],
)
def test_foreign_web_pages_are_refused(listening: str, host: str, origin: str | None, status: int | None) -> None:
    found = refusal(listening, host, origin)
    assert (found and found[0]) == status
