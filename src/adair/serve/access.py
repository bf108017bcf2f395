"""Authorisation: the bearer token, and no foreign web pages on loopback."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from adair.addresses import refusal
from adair.serve.config import ServeConfig
from adair.serve.errors import answer

OPEN = ("/health", "/ready")


class Access:
    """Refuses requests before their bodies are read: those of foreign web pages, and those without the token.

    Args:
        app: the application that is protected.
        config: contains the token and the host.
    """

    def __init__(self, app: ASGIApp, config: ServeConfig) -> None:
        self.app = app
        self._token = None if config.token is None else config.token.encode()
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
        if foreign := refusal(self._host, headers.get("host", ""), headers.get("origin")):
            return foreign
        if self._token is not None and path not in OPEN:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token)
            if scheme.lower() != "bearer" or not right:
                return 401, "send the server's token as 'Authorization: Bearer TOKEN'"
        return None
