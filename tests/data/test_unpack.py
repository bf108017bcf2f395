"""Archives: what a rule takes arrives, and nothing else ever does."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adair.data import unpack as unpack_module
from adair.data.unpack import unpack
from adair.errors import AdairError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
RULES = ((r"(?:.*/)?([^/]+\.png)", r"Set/\1"),)


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


MAKERS = [zipped, tarred, lambda path, files: tarred(path, files, "w:gz")]
formats = pytest.mark.parametrize("make", MAKERS, ids=["zip", "tar", "tar.gz"])


def found(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


@formats
def test_takes_what_the_rules_name_and_leaves_the_rest(make, tmp_path: Path) -> None:
    archive = make(
        tmp_path / "a", {"./x/b.png": PNG, "c.png": PNG + b"c", "readme.txt": b"text", "x/d.jpg": b"\xff\xd8"}
    )
    assert sorted(unpack(archive, "a", RULES, tmp_path / "out")) == ["Set/b.png", "Set/c.png"]
    assert found(tmp_path / "out") == {"Set/b.png", "Set/c.png"}
    assert (tmp_path / "out/Set/c.png").read_bytes() == PNG + b"c"


def test_an_image_without_an_archive(tmp_path: Path) -> None:
    (tmp_path / "download").write_bytes(PNG)
    assert unpack(tmp_path / "download", "kodim01.png", RULES, tmp_path / "out") == ["Set/kodim01.png"]


def test_rules_may_sort_and_rename(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a", {"test/input/1.png": PNG, "test/target/1.png": PNG, "X2/babyx2.png": PNG})
    rules = ((r"test/(input|target)/(\d+\.png)", r"Rain/\1/\2"), (r"X(\d)/(.+)x\d\.png", r"Low/x\1/\2.png"))
    unpack(archive, "a", rules, tmp_path / "out")
    assert found(tmp_path / "out") == {"Rain/input/1.png", "Rain/target/1.png", "Low/x2/baby.png"}


@formats
@pytest.mark.parametrize(
    "name", ["../evil.png", "a/../../evil.png", "/tmp/evil.png", "..\\evil.png", "\\evil.png", "../x"]
)
def test_a_name_that_leaves_its_folder_refuses_the_archive(make, name: str, tmp_path: Path) -> None:
    archive = make(tmp_path / "a", {"good.png": PNG, name: PNG})
    with pytest.raises(AdairError, match="would leave its folder"):
        unpack(archive, "a", RULES, tmp_path / "in" / "out")
    assert found(tmp_path) <= {"a", "in/out/Set/good.png"}


@pytest.mark.parametrize("name", [".hidden.png", "C:evil.png", "a\nb.png", "nul\x1b[2J.png"])
def test_names_that_are_no_image_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(AdairError, match="not a valid name for an image") as caught:
        unpack(tarred(tmp_path / "a", {name: PNG}), "a", RULES, tmp_path / "out")
    assert found(tmp_path) == {"a"} and str(caught.value).isprintable()


def test_only_image_names_are_ever_written(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a", {"run.py": b"\x89PNG\r\n\x1a\n"})
    with pytest.raises(AdairError, match="not a valid name for an image"):
        unpack(archive, "a", ((r"(.*)", r"Set/\1"),), tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a", "w") as archive:
        info = tarfile.TarInfo("a.png")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(AdairError, match="link or a device"):
        unpack(tmp_path / "a", "a", RULES, tmp_path / "out")
    assert found(tmp_path) == {"a"}


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a.png")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(AdairError, match="link or a device"):
        unpack(tmp_path / "a", "a", RULES, tmp_path / "out")


@pytest.mark.parametrize("make", [MAKERS[0], MAKERS[2]], ids=["zip", "tar.gz"])
@pytest.mark.parametrize("name", ["bomb.png", "bomb.txt"])
def test_a_bomb_is_refused_before_it_grows(make, name: str, tmp_path: Path) -> None:
    archive = make(tmp_path / "a", {name: PNG + bytes(20_000_000)})
    with pytest.raises(AdairError, match="more than 50 times its size"):
        unpack(archive, "a", RULES, tmp_path / "out")
    assert found(tmp_path) == {"a"}


def test_an_image_larger_than_any_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack_module, "MAX_MEMBER", 50)
    with pytest.raises(AdairError, match="has 108 bytes"):
        unpack(zipped(tmp_path / "a", {"a.png": PNG}), "a", RULES, tmp_path / "out")


def test_a_tar_header_that_claims_a_name_of_gigabytes(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**34
    (tmp_path / "a").write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096)))
    with pytest.raises(AdairError, match="absurd length"):
        unpack(tmp_path / "a", "a", RULES, tmp_path / "out")


def test_two_files_for_one_place(tmp_path: Path) -> None:
    with pytest.raises(AdairError, match=r"two of its files would become Set/a\.png"):
        unpack(zipped(tmp_path / "a", {"x/a.png": PNG, "y/a.png": PNG}), "a", RULES, tmp_path / "out")


def test_what_only_calls_itself_an_image(tmp_path: Path) -> None:
    with pytest.raises(AdairError, match="is not an image"):
        unpack(zipped(tmp_path / "a", {"a.png": b"#!/bin/sh"}), "a", RULES, tmp_path / "out")


def test_flipped_bits_are_noticed(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a", {"a.png": PNG + random.Random(0).randbytes(5000)})
    data = bytearray(archive.read_bytes())
    data[2000] ^= 1
    archive.write_bytes(data)
    with pytest.raises(AdairError, match="cannot be unpacked"):
        unpack(archive, "a", RULES, tmp_path / "out")


@formats
@settings(deadline=None, max_examples=25)
@given(keep=st.floats(0, 0.99), data=st.data())
def test_damaged_archives_give_one_line(make, keep: float, data: st.DataObject, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    archive = make(folder / "a", {"a.png": PNG + random.Random(0).randbytes(3000), "b.png": PNG})
    whole = bytearray(archive.read_bytes())
    if data.draw(st.booleans()):
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del whole[int(keep * len(whole)) :]
    archive.write_bytes(whole)
    try:
        written = unpack(archive, "a", RULES, folder / "out")
    except AdairError as error:
        assert "\n" not in str(error)
    else:
        assert found(folder / "out") == set(written)


def test_other_files_are_no_archives(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"<html>")
    with pytest.raises(AdairError, match=r"is not a zip, tar, tar\.gz or image"):
        unpack(tmp_path / "a", "a.png", RULES, tmp_path / "out")
