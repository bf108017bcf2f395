"""``adair export`` on the command line."""

from __future__ import annotations

import errno
import json
import tempfile
from pathlib import Path

import pytest

from adair.cli.main import main


def test_a_file_and_its_runner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "jpeg.onnx"
    words = ["export", "-t", "dejpeg", "-o", str(path), "--half", "--size", "64", "--runner", "--json"]
    assert main(words) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["file"] == [str(path), str(tmp_path / "adair_onnx.py")]
    assert facts["compared on"] == 3
    assert 0 < facts["max_difference_of_255"] < 1 and facts["psnr_to_torch"] > 60
    assert facts["bytes"] == path.stat().st_size < 20e6
    assert main(words) == 2
    assert "exists" in capsys.readouterr().err
    path.unlink()
    assert main(words) == 0, "an equal runner is left alone"
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "name"),
    [(["--runner"], "adair_onnx.py"), (["--to", "openvino"], "net.bin"), (["--to", "darktable"], "versions.json")],
)
def test_no_file_of_another_program_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], name: str
) -> None:
    (tmp_path / name).write_text("mine")
    output = tmp_path / {"net.bin": "net.xml", "versions.json": "net.dtmodel"}.get(name, "net.onnx")
    assert main(["export", "-t", "denoise", "-o", str(output), *words]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / name}: exists" in error and error.count("\n") == 1
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_a_folder_that_cannot_be_written_to_is_named_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / ".adair-x"))

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refused)
    assert main(["export", "-t", "denoise", "-o", str(tmp_path / "a.onnx")]) == 2
    error = capsys.readouterr().err
    assert (
        error
        == f"adair: {tmp_path / 'a.onnx'}: cannot be written: no permission to write there; choose another folder\n"
    )


def test_bad_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "-t", "denoise", "--to", "torch", "-o", str(tmp_path / "a.pt2"), "--runner"]) == 2
    assert "--runner is for --to onnx" in capsys.readouterr().err
    assert main(["export", "-t", "denoize", "-o", str(tmp_path / "a.onnx")]) == 2
    assert "did you mean 'denoise'" in capsys.readouterr().err
