"""Names lead to files: fetched once, checked, bounded, offline where asked for."""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adair
from adair.cli.main import main
from adair.errors import AdairError, FileFormatError, InputError
from adair.hub import cache, installed_zoo, locate, pull
from adair.tasks import ZOO

Hub = Any  # the one of conftest.py
REPO = "anna/scanner"


def left_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != cache.LOCK]


def test_paths_stay_what_they_are(tmp_path: Path) -> None:
    assert locate("nothing.safetensors") == Path("nothing.safetensors"), "whoever opens it says so"
    (tmp_path / "a.safetensors").write_bytes(b"a")
    assert locate(tmp_path) == tmp_path / "a.safetensors"
    (tmp_path / "b.safetensors").write_bytes(b"b")
    with pytest.raises(InputError, match=r"contains a.safetensors, b.safetensors; choose one"):
        locate(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no .safetensors file"):
        locate(tmp_path / "empty")
    with pytest.raises(InputError, match="not found"):
        pull("nothing.safetensors")


def test_web_address_is_fetched_once_and_again_by_pull(hub: Hub) -> None:
    hub.files["/scanner.safetensors"] = b"first"
    name = f"{hub.base}/scanner.safetensors"
    path = locate(name)
    assert path.name == "scanner.safetensors" and path.read_bytes() == b"first"
    hub.files["/scanner.safetensors"] = b"second"
    assert locate(name).read_bytes() == b"first"
    assert hub.asked.count("GET /scanner.safetensors") == 1
    pulled = pull(name)
    assert pulled.path.read_bytes() == b"second" and locate(name).read_bytes() == b"second"
    assert pulled.record is not None and pulled.record.sha256 == hashlib.sha256(b"second").hexdigest()


def test_damaged_copy_is_fetched_again(hub: Hub) -> None:
    hub.files["/a.safetensors"] = b"whole"
    path = locate(f"{hub.base}/a.safetensors")
    path.write_bytes(b"wh0le")
    assert locate(f"{hub.base}/a.safetensors").read_bytes() == b"whole"


def test_those_who_need_a_file_at_once_wait_for_one_download(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads: list[Path] = []

    def download(addresses: object, path: Path, *rest: object, **named: object) -> None:
        downloads.append(path)
        time.sleep(0.1)  # all others come meanwhile
        path.write_bytes(b"whole")

    monkeypatch.setattr(importlib.import_module("adair.hub.locate"), "download", download)
    with ThreadPoolExecutor(3) as threads:
        paths = set(threads.map(locate, [f"{hub.base}/a.safetensors"] * 3))
    assert len(downloads) == len(paths) == 1 and paths.pop().read_bytes() == b"whole"


def test_checksum_in_the_address(hub: Hub) -> None:
    hub.files["/a.safetensors"] = b"mine"
    digest = hashlib.sha256(b"mine").hexdigest()
    with pytest.raises(FileFormatError, match=f"has the checksum {digest}"):
        locate(f"{hub.base}/a.safetensors#sha256={'0' * 64}")
    assert locate(f"{hub.base}/a.safetensors#sha256={digest}").read_bytes() == b"mine"
    with pytest.raises(FileFormatError, match="checksum"):  # though a copy is in the cache
        locate(f"{hub.base}/a.safetensors#sha256={'0' * 64}")


@pytest.mark.parametrize("name", ["/a.safetensors", "hf"])
def test_large_files_are_refused(hub: Hub, name: str, monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    monkeypatch.setattr(importlib.import_module("adair.hub.locate"), "LIMIT", 1000)
    hub.files["/a.safetensors"] = hub.repos.setdefault(REPO, {})["a.safetensors"] = bytes(1001)
    with pytest.raises(AdairError, match=r"the limit is 1,000|more than the 1,000"):
        locate(f"hf://{REPO}" if name == "hf" else hub.base + name)
    assert left_in(own_cache) == []
    hub.files["/a.safetensors"] = hub.repos[REPO]["a.safetensors"] = bytes(1000)
    assert locate(f"hf://{REPO}" if name == "hf" else hub.base + name).stat().st_size == 1000


def test_limit_leaves_room_for_every_bundled_file() -> None:
    limit = importlib.import_module("adair.hub.locate").LIMIT
    assert 20_000_000 < limit <= 2**30


def test_hub_repository(hub: Hub) -> None:
    hub.repos[REPO] = {"scanner.safetensors": b"one", "README.md": b"words"}
    located = pull(f"hf://{REPO}")
    assert located.path.name == "scanner.safetensors" and located.path.read_bytes() == b"one"
    assert located.record is not None and located.record.revision == hub.sha(REPO)
    asked = len(hub.asked)
    assert locate(f"hf://{REPO}") == located.path and len(hub.asked) == asked
    hub.repos[REPO]["other.safetensors"] = b"two"
    assert locate(f"hf://{REPO}/other.safetensors").read_bytes() == b"two"
    assert locate(f"hf://{REPO}@v1/other.safetensors").read_bytes() == b"two"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hf://anna/nothing", "there is no such repository"),
        ("hf://anna/gated", "accept the terms"),
        (f"hf://{REPO}@v9", "no such revision"),
        (f"hf://{REPO}/c.safetensors", "has no file c.safetensors; it has a.safetensors, b.safetensors"),
        (f"hf://{REPO}", "has several files; it has a.safetensors"),
        ("hf://anna/words", "contains no .safetensors file"),
    ],
)
def test_what_a_hub_refuses_is_one_line(hub: Hub, name: str, reason: str) -> None:
    hub.repos |= {REPO: {"a.safetensors": b"", "b.safetensors": b""}, "anna/gated": {}, "anna/words": {"a.md": b""}}
    hub.closed.add("anna/gated")
    with pytest.raises(AdairError, match=reason) as caught:
        locate(name)
    assert str(caught.value).startswith(f"{name}: ")


def test_another_file_than_the_listed_one_is_refused(hub: Hub, own_cache: Path) -> None:
    hub.repos[REPO] = {"a.safetensors": b"good"}
    hub.swap["a.safetensors"] = b"evil"
    with pytest.raises(FileFormatError, match="not the one that the hub lists"):
        locate(f"hf://{REPO}")
    assert left_in(own_cache) == []


def test_a_hub_that_is_down(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(AdairError, match="the hub cannot be reached"):
        locate(f"hf://{REPO}")


@pytest.mark.parametrize("variable", ["ADAIR_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_mode_asks_nobody(hub: Hub, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.files["/a.safetensors"] = b"here"
    name = f"{hub.base}/a.safetensors"
    locate(name)
    asked = len(hub.asked)
    monkeypatch.setenv(variable, "1")
    assert locate(name).read_bytes() == b"here" and pull(name).path.read_bytes() == b"here"
    for missing in (f"{hub.base}/b.safetensors", "hf://anna/nothing"):
        with pytest.raises(AdairError, match="offline mode is on"):
            locate(missing)
    assert len(hub.asked) == asked


def test_offline_flag_holds_for_one_command(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pull", f"{hub.base}/a.safetensors", "--offline"]) == 2
    assert "offline mode is on" in capsys.readouterr().err and hub.asked == []
    assert main(["pull", f"{hub.base}/a.safetensors"]) == 2
    assert "404" in capsys.readouterr().err


def test_without_the_client_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(importlib.import_module("sys").modules, "huggingface_hub", None)
    with pytest.raises(AdairError, match=r"pip install 'adair\[hub\]'"):
        locate(f"hf://{REPO}")


def test_cache_that_cannot_be_written(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ADAIR_CACHE", str(tmp_path / "file"))
    with pytest.raises(AdairError, match=r"cannot be written .*; set ADAIR_CACHE"):
        locate(f"{hub.base}/a.safetensors")


def test_records_of_strangers_lead_nowhere_else(hub: Hub, own_cache: Path) -> None:
    hub.files["/a.safetensors"] = b"mine"
    path = locate(f"{hub.base}/a.safetensors")
    record = json.loads((path.parent / cache.RECORD).read_text())
    (own_cache / "other").write_bytes(b"mine")
    (path.parent / cache.RECORD).write_text(json.dumps({**record, "file": "../other"}))
    assert cache.find(path.parent) is None


class TestZoo:
    """The zoo by name, wherever it is."""

    def test_a_checkout_has_it(self) -> None:
        for name in ZOO:
            assert locate(f"zoo/{name}") == Path(adair.__file__).parents[2] / "zoo" / f"{name}.safetensors"
        assert locate("zoo/defog") == locate("zoo/dehaze"), "aliases are names"

    def test_an_unknown_name(self) -> None:
        with pytest.raises(InputError, match="the zoo has brighten, camera-denoise"):
            locate("zoo/denoise")

    def test_a_folder_or_an_address_of_ones_own(
        self, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ADAIR_ZOO", str(tmp_path))
        assert locate("zoo/dehaze") == tmp_path / "dehaze.safetensors"
        hub.files["/zoo/dehaze.safetensors"] = b"haze"
        monkeypatch.setenv("ADAIR_ZOO", f"{hub.base}/zoo/")
        assert locate("zoo/dehaze").read_bytes() == b"haze"
        hub.repos["anna/zoo"] = {"dehaze.safetensors": b"fog", "deband.safetensors": b"steps"}
        monkeypatch.setenv("ADAIR_ZOO", "hf://anna/zoo")
        assert locate("zoo/dehaze").read_bytes() == b"fog"

    def test_a_path_of_that_name_comes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "zoo" / "dehaze").mkdir(parents=True)
        (tmp_path / "zoo" / "dehaze" / "x.safetensors").write_bytes(b"x")
        assert locate("zoo/dehaze") == Path("zoo/dehaze/x.safetensors")

    def test_who_has_only_the_package_is_told_how(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(adair, "__file__", str(tmp_path / "site-packages" / "adair" / "__init__.py"))
        with pytest.raises(InputError, match=r"zoo/dehaze: not on this machine; .*pip install packaging/adair-zoo"):
            locate("zoo/dehaze")
        with pytest.raises(InputError, match=r"not installed; .*--adapter zoo/dehaze uses .*packaging/adair-zoo"):
            adair.Restorer.load().restore(np.zeros((8, 8, 3), np.uint8), "dehaze")

    def test_the_second_wheel_makes_them_tasks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        package = tmp_path / "adair_zoo"
        package.mkdir()
        (package / "__init__.py").write_text("")
        source = Path(adair.__file__).parents[2] / "zoo" / "dehaze.safetensors"
        (package / "dehaze.safetensors").write_bytes(source.read_bytes())
        monkeypatch.syspath_prepend(tmp_path)
        assert installed_zoo() == {"dehaze": package / "dehaze.safetensors"}
        assert locate("zoo/dehaze") == package / "dehaze.safetensors"
        restorer = adair.Restorer.load()
        assert {"dehaze", "denoise"} <= set(restorer.tasks)
        image = np.full((32, 32, 3), 180, np.uint8)
        assert restorer.restore(image, "defog").shape == image.shape
