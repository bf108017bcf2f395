"""The catalogue: every entry is complete, and its rules take what its publisher's archive holds."""

from __future__ import annotations

import re
import string
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adair.data import DATASETS, Dataset, dataset
from adair.errors import AdairError

entries = pytest.mark.parametrize("entry", DATASETS.values(), ids=DATASETS)


def place(entry: Dataset, name: str) -> str | None:
    """Where the first remote of a dataset puts a member of that name."""
    for pattern, template in entry.remotes[0].take:
        if match := re.fullmatch(pattern, name):
            return match.expand(template)
    return None


def test_the_sets_of_the_benchmarks_are_there() -> None:
    denoise, sr = {"CBSD68", "Kodak24", "McMaster", "Urban100"}, {"Set5", "Set14", "BSD100", "Urban100"}
    assert denoise | sr | {"Rain100L", "Rain100H", "LIVE1", "classic5", "DIV2K", "Flickr2K"} <= set(DATASETS)
    assert {f"{name}_matlab_bicubic" for name in sr} <= set(DATASETS)


@entries
def test_entries_are_complete(entry: Dataset) -> None:
    assert entry.images > 0 and entry.licence and entry.about and entry.address.startswith("https://")
    assert f"adair data fetch {entry.name}" in entry.advice and f"DIR/{entry.folders[-1]}" in entry.advice
    assert entry.folder == entry.name and all(folder.startswith(entry.name) for folder in entry.folders)
    for remote in entry.remotes:
        assert all(urlsplit(address).scheme == "https" for address in remote.addresses)
        kind, _, digits = (remote.checksum or "sha256:" + 64 * "0").partition(":")
        assert len(digits) == {"sha256": 64, "md5": 32}[kind] and set(digits) <= set(string.hexdigits)
        assert len(remote.addresses) == 1 or remote.checksum, "mirrors need a checksum: they must hold the same file"


@entries
def test_every_rule_leads_into_the_folders_of_its_dataset(entry: Dataset) -> None:
    for remote in entry.remotes:
        for _, template in remote.take:
            first = template.split("/")[0]
            assert first == entry.name and template.count("/") == (2 if entry.parts else 1)


@pytest.mark.parametrize(
    ("name", "member", "expected"),
    [
        ("CBSD68", "CBSD68/0001.png", "CBSD68/0001.png"),
        ("CBSD68", "CBSD68/._0001.png", None),
        ("CBSD68", "__MACOSX/CBSD68/0001.png", None),
        ("Set5", "Set5_HR/baby.png", "Set5/baby.png"),
        ("Urban100", "Urban100_HR/img_001.png", "Urban100/img_001.png"),
        ("Kodak24", "kodim01.png", "Kodak24/kodim01.png"),
        ("McMaster", "1.tif", "McMaster/1.tif"),
        ("LIVE1", "bikes.bmp", "LIVE1/bikes.bmp"),
        ("Rain100L", "test/Rain100L/input/1.png", "Rain100L/input/1.png"),
        ("Rain100L", "test/Rain100H/input/1.png", None),
        ("Set14_matlab_bicubic", "benchmark/Set14/LR_bicubic/X3/baboonx3.png", "Set14_matlab_bicubic/x3/baboon.png"),
        ("Set14_matlab_bicubic", "benchmark/Set14/LR_bicubic/X8/baboonx8.png", None),
        ("BSD100_matlab_bicubic", "benchmark/B100/LR_bicubic/X2/3096x2.png", "BSD100_matlab_bicubic/x2/3096.png"),
        (
            "Urban100_matlab_bicubic",
            "benchmark/Urban100/LR_bicubic/X4/img001x4.png",
            "Urban100_matlab_bicubic/x4/img_001.png",
        ),
        ("BSDS400", "BSDS500-master/BSDS500/data/images/val/101085.jpg", None),
        ("BSDS400", "BSDS500-master/BSDS500/data/images/train/100075.jpg", "BSDS400/100075.jpg"),
        ("Rain13K", "train/Rain13K/target/1.png", "Rain13K/target/1.png"),
    ],
)
def test_rules_on_names_as_published(name: str, member: str, expected: str | None) -> None:
    assert place(DATASETS[name], member) == expected


def test_sets_published_image_by_image_name_each_once() -> None:
    for name in ("Kodak24", "McMaster", "LIVE1", "classic5"):
        entry = DATASETS[name]
        addresses = {remote.addresses[0] for remote in entry.remotes}
        assert len(addresses) == len(entry.remotes) == entry.images


def test_names_are_found_without_capitals_and_mistakes_get_a_hint() -> None:
    assert dataset("urban100") is DATASETS["Urban100"]
    with pytest.raises(AdairError, match=r"unknown dataset 'Urban10'; did you mean Urban100\?"):
        dataset("Urban10")
    with pytest.raises(AdairError, match="adair data list"):
        dataset("zzz")


def test_counting_what_is_there(tmp_path: Path) -> None:
    rain = DATASETS["Rain100L"]
    assert rain.count(tmp_path) is None
    for part, number in (("input", 3), ("target", 2)):
        (tmp_path / "Rain100L" / part).mkdir(parents=True)
        for index in range(number):
            (tmp_path / "Rain100L" / part / f"{index}.PNG").touch()
    (tmp_path / "Rain100L" / "target" / "notes.txt").touch()
    assert rain.count(tmp_path) == 2


def test_the_layout_is_the_one_of_the_reference_data(shared: Path) -> None:
    present = [entry.name for entry in DATASETS.values() if entry.count(shared / "data" / "test") == entry.images]
    assert {"CBSD68", "Kodak24", "Rain100L", "Set5_matlab_bicubic", "Set14_matlab_bicubic", "LIVE1"} <= set(present)
