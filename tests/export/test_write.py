"""Exported files: the same picture as the restorer, the card inside, nothing kept that differs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from adair.errors import AdairError, InputError
from adair.export import ExportOptions, compare, export, formats
from adair.restore import Restorer
from adair.runtimes.standalone import Model


@pytest.mark.parametrize(
    ("options", "scale"),
    [
        (ExportOptions("denoise"), None),
        (ExportOptions("dejpeg > denoise"), None),
        (ExportOptions({"denoise": 0.5, "dejpeg": 0.3}, half=True), None),
        (ExportOptions("sr", scale=2), 2),
        (ExportOptions("foundation"), None),
    ],
)
def test_the_runner_gives_the_restorers_picture(
    restorer: Restorer, photo: np.ndarray, tmp_path: Path, options: ExportOptions, scale: int | None
) -> None:
    small = photo[:130, :210]
    written = export(restorer, options, "onnx", tmp_path / "net.onnx")
    assert written.files == (tmp_path / "net.onnx",)
    assert written.bytes == written.files[0].stat().st_size
    result = Model(written.files[0]).restore(small)
    expected = restorer.restore(small, options.task, scale=scale)
    assert result.shape == expected.shape
    assert np.abs(result.astype(int) - expected).max() <= 1
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_tiled_it_is_the_restorers_picture_too(restorer: Restorer, photo: np.ndarray, tmp_path: Path) -> None:
    model = Model(export(restorer, ExportOptions("denoise"), "onnx", tmp_path / "net.onnx").files[0])
    expected = restorer.restore(photo, "denoise", tile=256)
    assert np.abs(model.restore(photo, tile=256).astype(int) - expected).max() <= 1
    assert np.abs(model.restore(photo).astype(int) - restorer.restore(photo, "denoise")).max() <= 1


def test_a_fixed_size_serves_every_photo(restorer: Restorer, photo: np.ndarray, tmp_path: Path) -> None:
    written = export(restorer, ExportOptions("denoise", size=256), "onnx", tmp_path / "net.onnx")
    model = Model(written.files[0])
    assert model.size == (256, 256)
    expected = restorer.restore(photo, "denoise").astype(int)
    assert np.abs(model.restore(photo)[:256, :256] - expected[:256, :256]).max() <= 1
    assert np.abs(model.restore(photo) - expected).mean() < 1
    assert model.restore(photo[:31, :300]).shape == (31, 300, 3)


def test_the_card_travels(restorer: Restorer, tmp_path: Path) -> None:
    path = export(restorer, ExportOptions("dejpeg > sr", scale=3), "onnx", tmp_path / "net.onnx").files[0]
    card = Model(path).card
    assert card["task"] == "dejpeg_sr-x3"
    assert card["steps"] == [{"dejpeg": 1.0}, {"sr": 1.0}]
    assert card["scale"] == 3
    assert card["foundation"] == restorer.foundation.fingerprint
    assert card["adapters"] == {"dejpeg": {"about": "dejpeg"}, "sr": {"about": "sr"}}
    assert card["licence"] == "CC0-1.0 and not stated"  # of the foundation, and of the adapters in the file


def test_a_program_of_pytorchs(restorer: Restorer, tmp_path: Path) -> None:
    written = export(restorer, ExportOptions("denoise", size=64), "torch", tmp_path / "net.pt2")
    assert written.comparison.max_difference < 1e-6
    extra = {formats.CARD: ""}
    torch.export.load(written.files[0], extra_files=extra)
    assert json.loads(extra[formats.CARD])["task"] == "denoise"


def test_openvino(restorer: Restorer, tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    written = export(restorer, ExportOptions("denoise", half=True), "openvino", tmp_path / "net.xml")
    assert [path.name for path in written.files] == ["net.xml", "net.bin"]
    model = openvino.Core().read_model(written.files[0])
    assert json.loads(model.get_rt_info([formats.CARD]).value)["task"] == "denoise"


def test_what_differs_is_not_kept(restorer: Restorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "TOLERANCE", {"fp32": 0.0})
    with pytest.raises(AdairError, match=r"differs from PyTorch by up to .* of 255 .*not written"):
        export(restorer, ExportOptions("denoise"), "onnx", tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_refusals(restorer: Restorer, tmp_path: Path) -> None:
    taken = tmp_path / "taken.onnx"
    taken.write_text("mine")
    with pytest.raises(AdairError, match="exists"):
        export(restorer, ExportOptions("denoise"), "onnx", taken)
    assert taken.read_text() == "mine"
    (tmp_path / "net.bin").write_text("mine")
    with pytest.raises(AdairError, match=r"net\.bin: exists"):
        export(restorer, ExportOptions("denoise"), "openvino", tmp_path / "net.xml")
    assert (tmp_path / "net.bin").read_text() == "mine"
    with pytest.raises(InputError, match="no such format; use onnx"):
        export(restorer, ExportOptions("denoise"), "coreml", tmp_path / "a.mlmodel")
    with pytest.raises(InputError, match=r"ends in \.onnx"):
        export(restorer, ExportOptions("denoise"), "onnx", tmp_path / "a.pt")
    with pytest.raises(InputError, match="multiple of 32"):
        ExportOptions("denoise", size=100)
    with pytest.raises(InputError, match="'auto' chooses"):
        export(restorer, ExportOptions("auto"), "onnx", tmp_path / "a.onnx")
    with pytest.raises(InputError, match="there is no folder"):
        export(restorer, ExportOptions("denoise"), "onnx", tmp_path / "none" / "a.onnx")
