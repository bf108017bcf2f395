"""Addresses that the server and the page listen on, and whose web pages may use them."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach what listens on ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refusal(listening: str, host: str, origin: str | None) -> tuple[int, str] | None:
    """Return the HTTP status and the reason for which a request is refused; None if it is not.

    A page in the user's browser can send requests to a server on the same machine. On loopback, only local host names
    are accepted (a foreign name that points here is DNS rebinding), and requests from a page must have the origin that
    they are sent to.

    Args:
        listening: the address that the server listens on.
        host: the request's Host header.
        origin: its Origin header, which browsers send; None without one.
    """
    if is_loopback(listening) and _name(f"//{host}") not in (*LOOPBACK_NAMES, listening):
        return 400, "the Host header names another machine; use the address that the server printed"
    if origin is not None and _place(origin) != _place(f"//{host}"):
        return 403, "requests from web pages of other origins are refused"
    return None


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _place(address: str) -> str | None:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return None
