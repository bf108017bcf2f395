"""The page in headless Chromium: it restores a photo as PyTorch does, and asks for nothing but its own files.

Needs Chromium (``chromium-headless-shell`` or ``chromium``) and the unpacked package onnxruntime-web, named by the
environment variable ORT_WEB; else only what needs neither is tested.
"""

from __future__ import annotations

import base64
import functools
import http.server
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from adair.restore import Restorer
from adair.runtimes import standalone

BROWSER = Path(__file__).resolve().parents[2] / "examples" / "browser"
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build", BROWSER / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_file_that_the_page_names_is_its_own() -> None:
    text = "".join((BROWSER / name).read_text() for name in ("index.html", "style.css", "restore.js"))
    assert re.findall(r"(?:https?:)?//[a-z][\w.-]+\.\w+", text) == []
    assert "default-src 'self'" in text


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")
@pytest.mark.parametrize("length", [1, 512, 513, 1111, 3000])
def test_tiles_lie_where_the_restorer_lays_them(length: int) -> None:
    code = (
        f"import('{(BROWSER / 'restore.js').as_uri()}').then(({{split, weights}}) => {{ const spans = split({length}); "
        "console.log(JSON.stringify([spans, spans.map((_, i) => Array.from(weights(spans, i)))])) })"
    )
    words = ["node", "--input-type=module", "--no-warnings", "-e", code]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    spans, fades = json.loads(done.stdout)
    expected = standalone.split(length, 512)
    assert [tuple(span) for span in spans] == expected
    for number, fade in enumerate(fades):
        np.testing.assert_allclose(fade, standalone.weights(expected, number, 1), atol=1e-6)


class Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012

    def log_message(self, *words: object) -> None:
        self.asked.append(self.path)


@pytest.mark.skipif(not CHROMIUM or "ORT_WEB" not in os.environ, reason="needs Chromium and ORT_WEB")
def test_a_photo_is_restored(tmp_path: Path) -> None:
    site = tmp_path / "site"
    restorer = Restorer.load(device="cpu", precision="fp32")
    size = builder().build(restorer, ["dejpeg"], Path(os.environ["ORT_WEB"]), site, webgpu=False)
    assert size < 40e6
    photo = np.asarray(Image.open(BROWSER.parent / "photos" / "kitten.webp").convert("RGB"))[:96, :600]
    Image.fromarray(photo).save(site / "photo.png")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    words = [CHROMIUM or "", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    words += ["--virtual-time-budget=600000", "--timeout=120000", "--dump-dom"]
    words += [f"http://127.0.0.1:{server.server_port}/index.html?photo=photo.png"]
    page = subprocess.run(words, capture_output=True, text=True, timeout=300).stdout
    server.shutdown()
    server.server_close()
    status = re.search(r'id="status"[^>]*>([^<]*)', page)
    assert status and "Done: 480 x 96 in" in status[1], page[:3000]
    print(status[1], f"{size / 1e6:.1f} MB")
    data = re.search(r'href="data:image/png;base64,([^"]+)"', page)
    assert data
    result = np.asarray(Image.open(io.BytesIO(base64.b64decode(unquote(data[1])))).convert("RGB"))
    expected = restorer.restore(photo, "dejpeg")
    assert np.abs(result.astype(int) - expected).max() <= 1
    assert all((site / path.split("?")[0].lstrip("/")).is_file() for path in Handler.asked if "favicon" not in path)
