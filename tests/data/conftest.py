"""A small web server on this machine that serves files as the net does, with its faults."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from adair.data import download as download_module


@dataclass
class Web:
    """``files`` by path, and how to serve them. ``asked`` holds (path, Range) of every request."""

    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    kind: str = "application/octet-stream"
    redirects: dict[str, str] = field(default_factory=dict)
    cut_at: list[int] = field(default_factory=list)  # the next answers break off after so many bytes of body
    lengths: dict[str, str] = field(default_factory=dict)  # stated in place of the true length; "" states none
    endless: set[str] = field(default_factory=set)  # the body of these comes again and again
    pause: float = 0.0  # seconds before each byte, where above zero
    answers: list[int] = field(default_factory=list)  # the next answers are these codes instead
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, self.headers["Range"]))
            if state.answers:
                self.send_error(state.answers.pop(0))
                return
            if self.path in state.redirects:
                self.send_response(302)
                self.send_header("Location", state.redirects[self.path])
                self.end_headers()
                return
            if self.path not in state.files:
                self.send_error(404)
                return
            body, tag = state.files[self.path], state.tags.get(self.path, '"1"')
            wanted = self.headers["Range"]
            start = 0
            if wanted and state.ranges and self.headers["If-Range"] in (None, tag):
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            self.send_header("Content-Type", state.kind)
            if length := state.lengths.get(self.path, str(len(body) - start)):
                self.send_header("Content-Length", length)
            if tag:
                self.send_header("ETag", tag)
            self.end_headers()
            with contextlib.suppress(OSError):  # the client has gone
                while self.path in state.endless:
                    self.wfile.write(body)
                for byte in body if state.pause else b"":
                    time.sleep(state.pause)
                    self.wfile.write(bytes([byte]))
                if not state.pause:
                    self.wfile.write(body[start:][: state.cut_at.pop(0) if state.cut_at else None])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.base = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(download_module, "WAIT", 0.0)
    yield state
    server.shutdown()
    thread.join()
    server.server_close()
