"""Authorisation: the bearer token, and no foreign web pages on loopback."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from adair.addresses import LOOPBACK_NAMES
from adair.serve.config import ServeConfig
from adair.serve.errors import answer

OPEN = ("/health", "/ready")


class Access:
    """Refuses requests before their bodies are read.

    A page in the user's browser can send requests to a server on the same machine. On loopback, only local host names
    are accepted (a foreign name that points here is DNS rebinding), and requests from a page must have the origin that
    they are sent to.

    Args:
        app: the application that is protected.
        config: contains the token and the host.
    """

    def __init__(self, app: ASGIApp, config: ServeConfig) -> None:
        self.app = app
        self._token = None if config.token is None else config.token.encode()
        self._loopback = config.loopback
        self._host = config.host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with 400, 401 or 403, or pass the request on."""
        if scope["type"] == "http" and (refusal := self._refusal(Headers(scope=scope), scope["path"])):
            status, text = refusal
            headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
            await answer(status, text, headers)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _refusal(self, headers: Headers, path: str) -> tuple[int, str] | None:
        host, origin = _name(f"//{headers.get('host', '')}"), headers.get("origin")
        if self._loopback and host not in (*LOOPBACK_NAMES, self._host):
            return 400, "the Host header names another machine; use the address that the server printed"
        if origin is not None and _place(origin) != _place(f"//{headers.get('host', '')}"):
            return 403, "requests from web pages of other origins are refused"
        if self._token is not None and path not in OPEN:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token)
            if scheme.lower() != "bearer" or not right:
                return 401, "send the server's token as 'Authorization: Bearer TOKEN'"
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
