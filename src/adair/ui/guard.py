"""No foreign web pages: they could use the page, and fill the disk with uploads, from the user's own browser."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from adair.addresses import refusal


class Guard:
    """Refuses requests of foreign web pages before their bodies are read.

    Args:
        app: the application that is protected.
        host: the address that it listens on.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app, self._host = app, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with 400 or 403, or pass the request on."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if foreign := refusal(self._host, headers.get("host", ""), headers.get("origin")):
                status, text = foreign
                await PlainTextResponse(text, status)(scope, receive, send)
                return
        await self.app(scope, receive, send)
