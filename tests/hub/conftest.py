"""A stand-in for a hub on this machine: repositories with commits, uploads, refusals; plain files besides."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import huggingface_hub
import pytest
from huggingface_hub import constants

from adair.data import download as download_module


@dataclass
class Hub:
    """``repos``: files by repository; ``files``: other files by path; ``closed``: what only a token opens."""

    base: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    swap: dict[str, bytes] = field(default_factory=dict)  # sent in place of the file of that name
    uploads: dict[str, bytes] = field(default_factory=dict)  # large files by checksum, until a commit names them
    created: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def sha(self, repo: str) -> str:
        """The commit of a repository."""
        return hashlib.sha1(repr(sorted(self.repos[repo].items())).encode()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """What the client asks of a hub; the hub is ``server.hub``."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        path = unquote(urlsplit(self.path).path)
        hub.asked.append(f"{self.command} {path}")
        if path in hub.files:
            self.answer(hub.files[path], kind="application/octet-stream")
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            if self.allowed(found[1]) and self.at(found[1], found[2]):
                self.answer(json.dumps(self.facts(hub, found[1])).encode())
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            if self.allowed(found[1]) and self.at(found[1], found[2]):
                self.send_file(hub, found[1], found[3])
        else:
            self.refuse(404, "EntryNotFound")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        path, body = unquote(urlsplit(self.path).path), self.body()
        hub.asked.append(f"POST {path}")
        if self.headers["Authorization"] != "Bearer secret":
            self.refuse(401, None)
        elif path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked['organization']}/{asked['name']}"
            hub.created.append(asked)
            hub.repos.setdefault(repo, {})
            self.answer(json.dumps({"url": f"{hub.base}/{repo}", "id": repo}).encode())
        elif path == "/api/validate-yaml":
            self.answer(b'{"errors": [], "warnings": []}')
        elif "/preupload/" in path:
            files = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for one in json.loads(body)["files"]
            ]
            self.answer(json.dumps({"files": files}).encode())
        elif path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**one, "actions": {"upload": {"href": f"{hub.base}/upload/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            self.answer(json.dumps({"transfer": "basic", "objects": objects}).encode())
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            self.commit(hub, found[1], body)
        else:
            self.refuse(404, None)

    def do_PUT(self) -> None:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        hub.uploads[self.path.rpartition("/")[2]] = self.body()
        self.answer(b"")

    def commit(self, hub: Hub, repo: str, body: bytes) -> None:
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "lfsFile":
                hub.repos[repo][value["path"]] = hub.uploads[value["oid"]]
            elif line["key"] == "file":
                hub.repos[repo][value["path"]] = base64.b64decode(value["content"])
        oid = hub.sha(repo)
        self.answer(json.dumps({"commitUrl": f"{hub.base}/{repo}/commit/{oid}", "commitOid": oid}).encode())

    def facts(self, hub: Hub, repo: str) -> dict[str, Any]:
        siblings = []
        for name, data in hub.repos[repo].items():
            lfs = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 130}
            siblings.append({"rfilename": name, "size": len(data), "blobId": "0" * 40, "lfs": lfs})
        return {"id": repo, "sha": hub.sha(repo), "siblings": siblings}

    def send_file(self, hub: Hub, repo: str, name: str) -> None:
        if name not in hub.repos[repo]:
            self.refuse(404, "EntryNotFound")
            return
        data = hub.repos[repo][name]
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": hub.sha(repo)}
        self.answer(hub.swap.get(name, data), headers)

    def allowed(self, repo: str) -> bool:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        if repo in hub.closed and self.headers["Authorization"] != "Bearer secret":
            self.refuse(401, "GatedRepo")
            return False
        if repo not in hub.repos:
            self.refuse(404, "RepoNotFound")
            return False
        return True

    def at(self, repo: str, revision: str | None) -> bool:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        if revision not in (None, "main", "v1", hub.sha(repo)):
            self.refuse(404, "RevisionNotFound")
            return False
        return True

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def answer(self, data: bytes, headers: dict[str, str] | None = None, kind: str = "application/json") -> None:
        self.send_response(200)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(OSError):
                self.wfile.write(data)

    def refuse(self, code: int, reason: str | None) -> None:
        self.send_response(code)
        if reason:
            self.send_header("X-Error-Code", reason)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of a test, and nothing of the user's environment."""
    for name in ("ADAIR_OFFLINE", "HF_HUB_OFFLINE", "ADAIR_ZOO", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ADAIR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that the client takes for the real one, until the end of the test."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = Hub(f"http://127.0.0.1:{server.server_port}")
    server.hub = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", state.base)
    template = state.base + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(download_module, "WAIT", 0.0)
    yield state
    huggingface_hub.close_session()
    server.shutdown()
    thread.join()
    server.server_close()
