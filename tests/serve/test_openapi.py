"""The OpenAPI description, checked against the server by requests that Schemathesis derives from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(sys.executable).with_name("st")


@pytest.mark.skipif(not TOOL.exists(), reason="needs schemathesis")
def test_the_server_does_what_its_description_says(server: Any, tmp_path: Path) -> None:
    command = [
        *(str(TOOL), "run", f"http://127.0.0.1:{server.port}/openapi.json", "--no-color", "--seed=1"),
        *("--phases=coverage,fuzzing", "--max-examples=15", "--generation-database=none"),
        # Names of tasks are not in the description, so a request that fits it may still be refused.
        "--exclude-checks=positive_data_acceptance",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "5 selected / 5 total" in done.stdout


def test_the_description_lists_answers_and_their_types(server: Any) -> None:
    restore = json.loads(server.get("/openapi.json").body)["paths"]["/restore"]["post"]
    assert set(restore["responses"]) == {"200", "400", "401", "403", "408", "413", "422", "429", "500", "503"}
    assert set(restore["responses"]["200"]["content"]) == {
        f"image/{name}" for name in ("png", "jpeg", "webp", "tiff", "avif", "bmp")
    }
    assert set(restore["responses"]["422"]["content"]) == {"application/json"}
    assert "application/octet-stream" in restore["requestBody"]["content"]
    form = restore["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"image", "mask"} and form["required"] == ["image"]
