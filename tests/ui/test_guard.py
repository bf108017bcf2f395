"""What the page answers to foreign web pages, without Gradio."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from adair.ui.guard import Guard


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads every body and answers with 200."""
    await receive()
    await send({"type": "http.response.start", "status": 200})


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:7860", None, 200),
        ("localhost:7860", "http://localhost:7860", 200),
        ("127.0.0.1:7860", "http://evil.example", 403),
        ("evil.example", "http://evil.example", 400),
    ],
)
def test_foreign_pages_are_refused_before_their_bodies_are_read(host: str, origin: str | None, status: int) -> None:
    read, sent = [], list[Message]()

    async def receive() -> Message:
        read.append(1)
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin else [])
    scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": headers}
    asyncio.run(Guard(page, "127.0.0.1")(scope, receive, send))
    assert sent[0]["status"] == status and bool(read) == (status == 200)
