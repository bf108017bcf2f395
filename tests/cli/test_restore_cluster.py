"""``adair restore --cluster ray``: what can be said before there is a cluster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.cli.main import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cluster", "dask"], "the only engine is ray"),
        (["--cluster", "ray", "--worker-cpus", "0"], "--worker-cpus 0"),
        (["--cluster", "ray", "--workers", "0"], "--workers 0"),
        (["more", "--cluster", "ray"], "one source folder or URL"),
    ],
)
def test_bad_use(
    tmp_path: Path, model_files: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    model = ["--foundation", str(model_files / "foundation.safetensors"), "-t", "foundation"]
    assert main(["restore", str(tmp_path), "-o", str(tmp_path / "out"), *model, *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_dry_run_lists_what_is_missing_and_writes_nothing(
    tmp_path: Path, model_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(source / "a.png")
    model = ["--foundation", str(model_files / "foundation.safetensors"), "-t", "foundation"]
    assert main(["restore", str(source), "-o", str(target), *model, "--cluster", "ray", "--dry-run"]) == 0
    assert capsys.readouterr().out == f"{source}/a.png -> {target}/a.png\n"
    assert not target.exists()
