"""Publishing: the card says what the file says, and what was pushed can be pulled and used by name."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import adair
from adair.cli.main import main
from adair.errors import AdairError, InputError
from adair.hub.picture import before_after
from adair.hub.publish import PICTURE, push
from adair.weights import update_card

Hub = Any  # the one of conftest.py
CARD = {
    "licence": "Apache-2.0",
    "recipe": "blur(sigma=1) | noise(sigma=10)",
    "training": {"photos": 24, "data": "my scans <b>", "steps": 300, "torch": "2.13.0"},
    "measured": [
        {
            "dataset": "Kodak24",
            "setting": "haze",
            "protocol": "RGB PSNR, 8 bits",
            "input": 20.0,
            "foundation": 21.0,
            "adapter": 25.125,
        }
    ],
}


@pytest.fixture
def adapter(make_model: Callable[..., Path]) -> Path:
    """A tiny adapter with a card, next to its foundation."""
    path = make_model({"scanner": "merge"}) / "scanner.safetensors"
    update_card(path, **CARD)
    return path


def test_folder_gets_file_card_and_picture(adapter: Path, tmp_path: Path) -> None:
    published = push(adapter, tmp_path / "out", picture=b"webp")
    assert published.files == ("scanner.safetensors", "README.md", PICTURE)
    assert (tmp_path / "out" / "scanner.safetensors").read_bytes() == adapter.read_bytes()
    assert (tmp_path / "out" / PICTURE).read_bytes() == b"webp"
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith('---\nlicense: "apache-2.0"\n')
    for part in (
        "| Kodak24 haze | 20.00 | 21.00 | 25.12 | RGB PSNR, 8 bits |",
        "`blur(sigma=1) \\| noise(sigma=10)`",
        "my scans &lt;b>",
        f"![Before and after]({PICTURE})",
        "--task scanner",
        "SHA-256",
    ):
        assert part in card
    with pytest.raises(AdairError, match="exists; publish to another folder, or"):
        push(adapter, tmp_path / "out")
    push(adapter, tmp_path / "out", overwrite=True)


def test_card_of_a_file_without_figures_says_so(make_model: Callable[..., Path], tmp_path: Path) -> None:
    path = make_model({"scanner": "merge"}) / "scanner.safetensors"
    with pytest.raises(InputError, match="has no licence; give one"):
        push(path, tmp_path / "out")
    with pytest.raises(InputError, match="is not an identifier"):
        push(path, tmp_path / "out", licence="do what\nyou want")
    assert not (tmp_path / "out").exists()
    push(path, tmp_path / "out", licence="MIT")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "None were recorded." in card and "Nothing was recorded." in card and "Before and after" not in card


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of the client, about itself
def test_pushed_to_a_hub_and_used_by_name(
    hub: Hub, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    published = push(
        adapter, "hf://anna/scanner", picture=before_after(*np.zeros((2, 8, 8, 3), np.uint8)), private=True
    )
    assert published.place.startswith(hub.base) and hub.created[0]["visibility"] == "private"
    files = hub.repos["anna/scanner"]
    assert set(files) == {"scanner.safetensors", "README.md", PICTURE}
    assert files["scanner.safetensors"] == adapter.read_bytes()
    assert b"--adapter hf://anna/scanner --task scanner" in files["README.md"]
    restorer = adair.Restorer.load(adapter.with_name("foundation.safetensors"))
    assert restorer.add_adapter("hf://anna/scanner") == "scanner"
    assert adair.load_adapter(Path("hf://anna/scanner"), restorer.foundation).task == "scanner"


def test_push_without_the_right_to(hub: Hub, adapter: Path) -> None:
    with pytest.raises(AdairError, match=r"does not allow this \(401\); set HF_TOKEN"):
        push(adapter, "hf://anna/scanner")


def test_push_offline(hub: Hub, adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADAIR_OFFLINE", "1")
    with pytest.raises(AdairError, match="offline mode"):
        push(adapter, "hf://anna/scanner")
    assert hub.asked == []


@pytest.mark.parametrize("target", ["https://example.org/a", "hf://anna/scanner/a.safetensors"])
def test_places_that_cannot_be_published_to(adapter: Path, target: str) -> None:
    with pytest.raises(InputError, match="cannot be published to"):
        push(adapter, target)


def test_only_adapters_are_published(adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not an adapter"):
        push(adapter.with_name("foundation.safetensors"), tmp_path / "out", licence="MIT")


def test_picture_shows_both_at_the_size_of_the_result() -> None:
    small, large = np.zeros((10, 12, 1), np.uint16), np.full((20, 24, 3), 65535, np.uint16)
    with Image.open(io.BytesIO(before_after(small, large))) as picture:
        assert picture.size == (24 + 8 + 24, 20)
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels[:, :20].max() < 20 and pixels[:, -20:].min() > 235


class TestCommands:
    """From the words to the files."""

    def test_push_with_a_photo_then_pull_and_restore(
        self, hub: Hub, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        photo, foundation = tmp_path / "photo.png", adapter.with_name("foundation.safetensors")
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)).save(photo)
        words = ["push", str(adapter), str(tmp_path / "out"), "--photo", str(photo), "--foundation", str(foundation)]
        assert main(words) == 0
        assert "README.md, before_after.webp" in capsys.readouterr().out
        hub.files["/scanner.safetensors"] = (tmp_path / "out" / "scanner.safetensors").read_bytes()
        name = f"{hub.base}/scanner.safetensors"
        assert main(["pull", name, "--json", "-o", str(tmp_path / "mine")]) == 0
        (facts,) = json.loads(capsys.readouterr().out)["adapters"]
        assert facts["task"] == "scanner" and facts["licence"] == "Apache-2.0"
        assert facts["fits_bundled_foundation"] is False
        assert (tmp_path / "mine" / "scanner.safetensors").read_bytes() == adapter.read_bytes()
        result = tmp_path / "result.png"
        words = ["restore", str(photo), "--task", "scanner", "-o", str(result), "--foundation", str(foundation)]
        assert main([*words, "--adapter", name, "--device", "cpu"]) == 0, capsys.readouterr().err
        assert result.is_file()
        assert main(["info", name]) == 0

    def test_sheet_of_the_training_is_the_picture(
        self, adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["push", str(adapter), str(tmp_path / "bare")]) == 0
        assert "no image" in capsys.readouterr().err
        Image.new("RGB", (20, 10)).save(adapter.with_suffix(".sheet.png"))
        assert main(["push", str(adapter), str(tmp_path / "out")]) == 0
        with Image.open(tmp_path / "out" / PICTURE) as picture:
            assert picture.size == (20, 10)

    def test_pull_of_what_is_not_weights(self, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
        hub.files["/a.safetensors"] = b"PK\x03\x04 a pickle in disguise"
        assert main(["pull", f"{hub.base}/a.safetensors"]) == 2
        assert "pickle" in capsys.readouterr().err
