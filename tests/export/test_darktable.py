"""Packages for darktable: what its loader asks for, and the picture that its tiles give."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from adair.errors import AdairError, InputError
from adair.export import ExportOptions, export
from adair.export.darktable import check_repository, read_package, write_repository
from adair.restore import Restorer


def installed(package: Path, models: Path) -> tuple[Path, dict[str, Any]]:
    """Unpack as darktable's loader does, with its checks; returns the model's folder and configuration."""
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        top = names[0].split("/")[0]
        assert "/" in names[0] and top not in ("", ".", "..") and "\\" not in top
        assert all(name.startswith(f"{top}/") and ".." not in name for name in names)
        archive.extractall(models)
    config = json.loads((models / top / "config.json").read_text())
    assert config["id"] == top and config["name"]
    assert config["backend"] == "onnx" and config["task"] in ("denoise", "upscale") and config["num_inputs"] == 1
    assert re.fullmatch(r"\d+\.\d+", config["version"])
    assert all(isinstance(value, str) and value for value in config["model_card"].values())
    for part in ("long_description", "scope", "author", "source", "paper", "license", "training_data"):
        assert part in config["model_card"]
    return models / top, config


def session(path: Path, config: dict[str, Any], tile: int) -> onnxruntime.InferenceSession:
    """The graph with its free sizes bound to the tile, as darktable opens it."""
    options = onnxruntime.SessionOptions()
    for name in config["spatial_dims"]:
        options.add_free_dimension_override_by_name(name, tile)
    return onnxruntime.InferenceSession(path, options)


def tiled(graph: onnxruntime.InferenceSession, image: np.ndarray, tile: int, overlap: int, scale: int) -> np.ndarray:
    """Square tiles with ``overlap`` pixels more on every side, mirrored beyond the border; their middles count."""
    (given,), (wanted,) = graph.get_inputs(), graph.get_outputs()
    assert (given.name, given.type, given.shape) == ("input", "tensor(float)", [1, 3, tile, tile])
    assert wanted.type == "tensor(float)"
    height, width = image.shape[:2]
    step = tile - 2 * overlap
    padded = np.pad(image, ((overlap, tile), (overlap, tile), (0, 0)), mode="reflect")
    result = np.zeros((height * scale, width * scale, 3), np.float32)
    inner = slice(overlap * scale, (tile - overlap) * scale)
    for top in range(0, height, step):
        for left in range(0, width, step):
            part = padded[top : top + tile, left : left + tile].transpose(2, 0, 1)[None].astype(np.float32) / 255
            restored = graph.run(None, {"input": np.ascontiguousarray(part)})[0][0, :, inner, inner].transpose(1, 2, 0)
            place = result[top * scale : (top + step) * scale, left * scale : (left + step) * scale]
            place[:] = restored[: place.shape[0], : place.shape[1]]
    return result.clip(0, 1) * 255


@pytest.mark.parametrize(
    ("task", "scale", "name", "file", "tile", "overlap"),
    [
        ("denoise", None, "denoise-adair", "model.onnx", 256, 64),
        ("deblur", None, "denoise-adair-deblur", "model.onnx", 384, 64),
        ("dejpeg", None, "denoise-adair-dejpeg", "model.onnx", 256, 64),
        ("sr", 2, "upscale-adair", "model_x2.onnx", 192, 16),
    ],
)
def test_darktable_takes_the_package_and_its_tiles_give_our_picture(
    restorer: Restorer,
    photo: np.ndarray,
    tmp_path: Path,
    task: str,
    scale: int | None,
    name: str,
    file: str,
    tile: int,
    overlap: int,
) -> None:
    package = tmp_path / "any name.dtmodel"
    written = export(restorer, ExportOptions(task, scale, half=True), "darktable", package)
    assert written.files == (package,)
    folder, config = installed(package, tmp_path / "models")
    assert folder.name == name
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "| Model license | CC0-1.0 and not stated |" in (folder / "README.md").read_text()
    result = tiled(session(folder / file, config, tile), photo, tile, overlap, scale or 1)
    expected = restorer.restore(photo, task, scale=scale).astype(np.float32)
    assert result.shape == expected.shape
    difference = np.abs(result - expected)
    # The border of the photo is mirrored, ours is not; and attention looks further than darktable's overlap.
    assert difference.mean() < 1
    assert np.median(difference) < 0.6


def test_equal_models_are_equal_files(restorer: Restorer, tmp_path: Path) -> None:
    first, second = (
        export(restorer, ExportOptions("denoise"), "darktable", tmp_path / f"{n}.dtmodel").files[0] for n in "ab"
    )
    assert first.read_bytes() == second.read_bytes()


def test_a_repository_lists_its_packages(restorer: Restorer, tmp_path: Path) -> None:
    package = tmp_path / "denoise-adair.dtmodel"
    export(restorer, ExportOptions("denoise"), "darktable", package)
    write_repository(tmp_path, "v1")
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    versions = json.loads((tmp_path / "versions.json").read_text())
    assert versions == {"models": {"denoise-adair": {"version": "1.0", "sha256": f"sha256:{digest}"}}}
    index = json.loads((tmp_path / "releases-index.json").read_text())
    assert index == {"schema": 1, "compatible_releases": {"5.6.0": "v1"}}
    check_repository(tmp_path)  # the next package of the folder


@pytest.mark.parametrize("text", ['{"node": 20}', "3", "no JSON"])
def test_indexes_of_other_programs_are_not_replaced(tmp_path: Path, text: str) -> None:
    check_repository(tmp_path)
    (tmp_path / "versions.json").write_text(text)
    with pytest.raises(AdairError, match=r"versions\.json: exists and is not an index for darktable"):
        check_repository(tmp_path)


def test_refusals(restorer: Restorer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="darktable enlarges 2 or 4 times"):
        export(restorer, ExportOptions("sr", scale=3), "darktable", tmp_path / "a.dtmodel")
    with pytest.raises(InputError, match="chooses the size of tiles itself"):
        export(restorer, ExportOptions("denoise", size=256), "darktable", tmp_path / "a.dtmodel")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "no.dtmodel").write_text("no zip")
    with pytest.raises(InputError, match="is not a package for darktable"):
        read_package(tmp_path / "no.dtmodel")
