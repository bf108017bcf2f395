"""``adair tasks``, ``info`` and ``doctor`` on a tiny foundation with two adapters, as if it were the bundled one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from adair.adapters import create_adapter, save_adapter
from adair.backbones import build_backbone
from adair.cli import doctor as doctor_module
from adair.cli.main import main
from adair.cli.show import plain, size
from adair.images.optional import formats_read
from adair.weights import foundation as foundation_module
from adair.weights import load_foundation, save_foundation

CONFIG = {"width": 8, "encoder": [1], "middle": 1, "decoder": [1]}
VALIDATION = {"protocol": "PSNR on two photos", "input": {"noise 25": 20.256}, "restored": {"noise 25": 31.0}}
ROW = {
    "task": "denoise",
    "dataset": "CBSD68",
    "setting": "sigma 25",
    "protocol": "RGB PSNR",
    "input": 20.0,
    "foundation": 30.0,
    "adapter": 31.5,
}


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bundled"
    folder.mkdir()
    monkeypatch.setattr(foundation_module, "BUNDLED", folder)
    torch.manual_seed(0)
    model = build_backbone("nafnet", CONFIG)
    mark = save_foundation(folder / "foundation.safetensors", "nafnet", CONFIG, model.state_dict())
    frozen = load_foundation(folder / "foundation.safetensors").model
    cards: dict[str, dict[str, Any]] = {
        "denoise": {"recipe": "noise(sigma=0..55)", "validation": VALIDATION, "measured": [ROW]},
        "scanner": {"recipe": "jpeg(quality=40)", "validation": VALIDATION, "licence": "Apache-2.0"},
    }
    for task, card in cards.items():
        adapter = create_adapter("merge", frozen)
        save_adapter(folder / f"{task}.safetensors", adapter, foundation_fingerprint=mark, task=task, card=card)
    return folder


def run_json(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    assert main([*words, "--json"]) == code
    loaded: dict[str, Any] = json.loads(capsys.readouterr().out)
    return loaded


def test_tasks_as_json(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "tasks")
    denoise, scanner = found["tasks"]
    assert [denoise["task"], scanner["task"]] == ["denoise", "scanner"]
    assert denoise["adapter"] == "merge" and denoise["parameters"] > 0
    assert denoise["bytes"] == (bundled / "denoise.safetensors").stat().st_size
    assert denoise["foundation"] == found["foundation"]["fingerprint"]
    assert denoise["measured"] == [
        {"name": "CBSD68 sigma 25", "protocol": "RGB PSNR", "input": 20.0, "foundation": 30.0, "restored": 31.5}
    ]
    assert scanner["measured"] == [
        {"name": "noise 25", "protocol": "PSNR on two photos", "input": 20.256, "restored": 31.0}
    ]


def test_tasks_for_people(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"]) == 0
    text = capsys.readouterr().out
    assert "CBSD68 sigma 25: 20.00 to 31.50 dB (foundation alone 30.00)" in text
    assert "noise 25: 20.26 to 31.00 dB" in text and "removes noise" in text
    assert "RGB PSNR" not in text and "--json" in text  # protocols are long lines, which hid the table


def test_tasks_without_weights_say_so(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundled / "foundation.safetensors").unlink()
    assert main(["tasks"]) == 2
    assert "foundation.safetensors" in capsys.readouterr().err


def test_info_of_an_adapter(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = run_json(capsys, "info", str(bundled / "scanner.safetensors"))
    assert (facts["kind"], facts["task"], facts["licence"]) == ("adapter", "scanner", "Apache-2.0")
    assert facts["fits_bundled_foundation"] is True and "fit" in facts["checked"]
    assert main(["info", str(bundled / "denoise.safetensors")]) == 0
    text = capsys.readouterr().out
    assert "CBSD68" in text and "noise(sigma=0..55)" in text


def test_info_of_a_foundation(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = run_json(capsys, "info", str(bundled / "foundation.safetensors"))
    assert (facts["kind"], facts["backbone"], facts["stored_as"]) == ("foundation", "nafnet", ["F16"])
    assert facts["config"]["width"] == 8


def test_info_notices_a_flipped_bit(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bundled / "foundation.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert main(["info", str(path)]) == 2
    assert "fingerprint" in capsys.readouterr().err


def test_info_of_an_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "photo.png"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(np.zeros((10, 20, 4), np.uint8), "RGBA").save(path, icc_profile=profile)
    facts = run_json(capsys, "info", str(path))
    assert (facts["width"], facts["height"], facts["bits"]) == (20, 10, 8)
    assert facts["channels"] == "RGB and alpha" and "sRGB" in facts["colour_profile"]
    assert main(["info", str(path)]) == 0
    assert "RGB and alpha" in capsys.readouterr().out


def test_info_of_weights_by_content(bundled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    renamed = tmp_path / "weights.bin"
    renamed.write_bytes((bundled / "scanner.safetensors").read_bytes())
    assert run_json(capsys, "info", str(renamed))["kind"] == "adapter"


@pytest.mark.parametrize("name", ["none.png", "none.safetensors", "text.png", "text.safetensors", "folder"])
def test_info_of_nothing_useful_is_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("text.png", "text.safetensors"):
        (tmp_path / text).write_text("just words, nothing else")
    (tmp_path / "folder").mkdir()
    assert main(["info", str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert name in error and error.count("\n") == 1


def test_doctor_on_a_sound_installation(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = run_json(capsys, "doctor", "--device", "cpu")
    assert facts["weights"] == {"foundation": "intact", "denoise": "intact", "scanner": "intact"}
    assert facts["images"]["PNG"] == "reads and writes 8 bits and 16 bits"
    assert set(facts["images"]) == set(formats_read()) >= {"PNG", "JPEG", "WebP", "TIFF", "AVIF", "BMP", "GIF"}
    assert facts["images"]["GIF"] == "reads, does not write"
    assert facts["precision"] in ("fp32", "bf16") and facts["precision_reason"] and facts["problems"] == []
    assert main(["doctor", "--device", "cpu"]) == 0
    assert "layout" in capsys.readouterr().out


def test_doctor_measures_each_precision_and_runtime(
    bundled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    facts = run_json(capsys, "doctor", "--device", "cpu", "--measure")
    speeds, runtimes = facts["seconds_per_megapixel"], facts["runtimes"]
    assert set(runtimes) == {"torch", "onnxruntime", "openvino"}
    assert runtimes["torch"]["same"] and runtimes["onnxruntime"]["max_difference"] < 0.1
    assert (tmp_path / "cache" / "adair" / "runtimes.json").is_file()
    assert speeds["fp32"] > 0 and speeds["bf16"] > 0
    assert "too slow" in speeds["fp16"]


def test_doctor_finds_a_broken_adapter(bundled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bundled / "scanner.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    facts = run_json(capsys, "doctor", "--device", "cpu", code=1)
    assert facts["weights"]["denoise"] == "intact" and "scanner" in facts["problems"][0]


def test_doctor_finds_a_missing_codec(
    bundled: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_module, "_images", lambda: {"AVIF": "no codec"})
    assert run_json(capsys, "doctor", "--device", "cpu", code=1)["problems"] == ["AVIF: no codec"]


def test_strange_text_cannot_steer_the_terminal() -> None:
    assert plain("a\x1b[31mb[bold]").plain == "a\\x1b[31mb[bold]"


def test_sizes_for_people() -> None:
    assert [size(n) for n in (12, 1800, 1_893_000, 22_900_000_000)] == ["12 bytes", "2 kB", "1.89 MB", "22.90 GB"]
