"""Fetching: checked, recorded, whole or not there, and what is there already is verified."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from adair.data import Dataset, Outcome, Remote, fetch

Web = Any  # the one of conftest.py


def image(number: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + bytes([number]) * 500


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return buffer.getvalue()


PHOTOS = archive({f"photos/{number}.png": image(number) for number in range(3)} | {"readme.txt": b"hello"})
RAIN = archive({f"test/{part}/{number}.png": image(number) for part in ("input", "target") for number in range(2)})


def photos(web: Web, checksum: str | None = None, name: str = "Photos", images: int = 3) -> Dataset:
    rules = ((r"photos/(.+)", rf"{name}/\1"),)
    remote = Remote((f"{web.base}/photos.zip",), rules, len(PHOTOS), checksum)
    return Dataset(name, "test", "three photos", images, "CC0", "https://example.org", (remote,))


def go(entry: Dataset, root: Path, overwrite: bool = False) -> Outcome:
    (outcome,) = fetch([entry], root, lambda text, done, total: None, overwrite)
    return outcome


def names(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


def test_a_dataset_arrives_whole_with_its_record(web: Web, tmp_path: Path) -> None:
    web.files["/photos.zip"] = PHOTOS
    seen: list[tuple[str, int, int | None]] = []
    (outcome,) = fetch([photos(web)], tmp_path / "data", lambda *now: seen.append(now))
    assert outcome.done and "3 images" in outcome.text and "CC0" in outcome.text
    assert names(tmp_path) == {"data/Photos/SOURCE.json"} | {f"data/Photos/{number}.png" for number in range(3)}
    assert not (tmp_path / "data" / ".downloads").exists()
    record = json.loads((tmp_path / "data/Photos/SOURCE.json").read_text())
    (got,) = record["downloads"]
    assert got["sha256"] == hashlib.sha256(PHOTOS).hexdigest() and got["bytes"] == len(PHOTOS)
    assert record["images"]["1.png"] == hashlib.sha256(image(1)).hexdigest() and record["licence"] == "CC0"
    assert ("Photos", len(PHOTOS), len(PHOTOS)) in seen


def test_pairs_have_two_folders(web: Web, tmp_path: Path) -> None:
    web.files["/rain.zip"] = RAIN
    remote = Remote((f"{web.base}/rain.zip",), ((r"test/(input|target)/(.+)", r"Rain/\1/\2"),))
    entry = Dataset("Rain", "test", "", 2, "CC0", "", (remote,), ("input", "target"))
    assert go(entry, tmp_path).done
    assert names(tmp_path / "Rain") == {"SOURCE.json", "input/0.png", "input/1.png", "target/0.png", "target/1.png"}


def test_images_published_one_by_one(web: Web, tmp_path: Path) -> None:
    web.files |= {f"/k/{number}.png": image(number) for number in range(3)}
    remotes = tuple(Remote((f"{web.base}/k/{number}.png",), ((r"(\d\.png)", r"K/\1"),)) for number in range(3))
    assert go(Dataset("K", "test", "", 3, "CC0", "", remotes), tmp_path).done
    assert (tmp_path / "K" / "2.png").read_bytes() == image(2)


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_published_checksum_must_match(web: Web, tmp_path: Path, kind: str) -> None:
    right = f"{kind}:{hashlib.new(kind, PHOTOS).hexdigest()}"
    web.files["/photos.zip"] = PHOTOS[:-1] + b"!"
    outcome = go(photos(web, right), tmp_path)
    assert not outcome.done and f"{kind} differs" in outcome.text
    assert names(tmp_path) == set()
    web.files["/photos.zip"] = PHOTOS
    assert go(photos(web, right), tmp_path).done


def test_a_recorded_checksum_must_match_later(web: Web, tmp_path: Path) -> None:
    web.files["/photos.zip"] = PHOTOS
    go(photos(web), tmp_path)
    web.files["/photos.zip"] = archive({f"photos/{number}.png": image(9) for number in range(3)})
    outcome = go(photos(web), tmp_path, overwrite=True)
    assert not outcome.done and "SOURCE.json: records another checksum" in outcome.text
    assert (tmp_path / "Photos/1.png").read_bytes() == image(1)
    (tmp_path / "Photos/SOURCE.json").unlink()
    assert go(photos(web), tmp_path, overwrite=True).done
    assert (tmp_path / "Photos/1.png").read_bytes() == image(9)


def test_what_is_there_is_verified_and_not_fetched_again(web: Web, tmp_path: Path) -> None:
    web.files["/photos.zip"] = PHOTOS
    go(photos(web), tmp_path)
    outcome = go(photos(web), tmp_path)
    assert outcome.done and "all as they were fetched" in outcome.text and len(web.asked) == 1
    (tmp_path / "Photos/1.png").write_bytes(b"broken")
    outcome = go(photos(web), tmp_path)
    assert not outcome.done and "1 images are not as they were fetched (1.png)" in outcome.text
    assert go(photos(web), tmp_path, overwrite=True).done
    assert (tmp_path / "Photos/1.png").read_bytes() == image(1)


def test_a_copy_of_the_users_own_is_counted_and_kept(web: Web, tmp_path: Path) -> None:
    (tmp_path / "Photos").mkdir()
    for number in range(3):
        (tmp_path / "Photos" / f"{number}.webp").write_bytes(b"mine")
    outcome = go(photos(web), tmp_path)
    assert outcome.done and "only counted" in outcome.text and web.asked == []
    (tmp_path / "Photos/0.webp").unlink()
    outcome = go(photos(web), tmp_path)
    assert not outcome.done and "2 images where 3 belong" in outcome.text and "--overwrite" in outcome.text


def test_a_set_that_is_not_as_expected_never_appears(web: Web, tmp_path: Path) -> None:
    web.files["/photos.zip"] = PHOTOS
    outcome = go(photos(web, images=4), tmp_path)
    assert not outcome.done and "3 images were published where 4 belong" in outcome.text
    assert not (tmp_path / "Photos").exists() and not list(tmp_path.rglob("*.png"))


def test_a_hostile_archive_leaves_nothing(web: Web, tmp_path: Path) -> None:
    web.files["/photos.zip"] = archive({"photos/1.png": image(1), "../../../evil.png": image(2)})
    outcome = go(photos(web), tmp_path / "data")
    assert not outcome.done and "leave its folder" in outcome.text
    assert names(tmp_path) == set()


def test_after_an_interruption_the_finished_archive_is_used(web: Web, tmp_path: Path) -> None:
    web.files["/photos.zip"] = PHOTOS

    def stop(text: str, done: int, total: int | None) -> None:
        if "unpacking" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch([photos(web)], tmp_path, stop)
    assert not (tmp_path / "Photos").exists()
    assert go(photos(web), tmp_path).done and len(web.asked) == 1


def test_a_shared_archive_is_downloaded_once(web: Web, tmp_path: Path) -> None:
    web.files["/photos.zip"] = PHOTOS
    outcomes = fetch([photos(web), photos(web, name="Again")], tmp_path, lambda text, done, total: None)
    assert all(outcome.done for outcome in outcomes) and len(web.asked) == 1
    assert (tmp_path / "Again/0.png").exists() and not (tmp_path / ".downloads").exists()


def test_one_failure_leaves_the_others(web: Web, tmp_path: Path) -> None:
    web.files["/photos.zip"] = PHOTOS
    gone = Dataset("Gone", "test", "", 1, "", "", (Remote((f"{web.base}/gone.zip",), ((".*", "Gone/a.png"),)),))
    outcomes = fetch([gone, photos(web)], tmp_path, lambda text, done, total: None)
    assert [outcome.done for outcome in outcomes] == [False, True]
    assert "404" in outcomes[0].text


def test_a_folder_that_cannot_be_written(web: Web, tmp_path: Path) -> None:
    web.files["/photos.zip"] = PHOTOS
    (tmp_path / "file").write_text("not a folder")
    outcome = go(photos(web), tmp_path / "file")
    assert not outcome.done and "file" in outcome.text and "\n" not in outcome.text


def test_a_record_of_nonsense_counts_as_none(web: Web, tmp_path: Path) -> None:
    web.files["/photos.zip"] = PHOTOS
    go(photos(web), tmp_path)
    for text in ("", "[]", '{"downloads": 1, "images": 2}', '{"downloads": [3], "images": {}}'):
        (tmp_path / "Photos/SOURCE.json").write_text(text)
        assert "only counted" in go(photos(web), tmp_path).text
