"""Downloads against a server on this machine: whole, resumed, restarted, refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from adair.data import download as download_module
from adair.data.download import TRIES, digest, download
from adair.errors import AdairError

Web = Any  # the one of conftest.py
BODY = bytes(range(256)) * 4000


def get(web: Web, path: Path, *names: str) -> list[tuple[int, int | None]]:
    seen: list[tuple[int, int | None]] = []
    download([f"{web.base}/{name}" for name in names or ("a.bin",)], path, lambda *now: seen.append(now))
    return seen


def test_a_whole_file(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"] = BODY
    seen = get(web, tmp_path / "deep" / "a.bin")
    assert (tmp_path / "deep" / "a.bin").read_bytes() == BODY
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.bin"]
    assert seen[0] == (0, len(BODY)) and seen[-1] == (len(BODY), len(BODY)) and seen == sorted(seen)


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"] = BODY
    web.cut_at = [300_000, 100_000]
    get(web, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert web.asked == [("/a.bin", None), ("/a.bin", "bytes=300000-"), ("/a.bin", "bytes=400000-")]


def test_the_next_call_goes_on_too(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"] = BODY
    web.cut_at = [1000] * TRIES
    with pytest.raises(AdairError, match=r"broke off at 4,000 of 1,024,000 bytes; try again later, what has arrived"):
        get(web, tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()
    get(web, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY and web.asked[-1] == ("/a.bin", "bytes=4000-")


def test_bytes_of_another_program_in_the_part_are_not_taken_for_the_file(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"] = BODY

    def report(done: int, total: int | None) -> None:
        if len(web.asked) == 1 and done == 0:
            (tmp_path / "a.bin.part").write_bytes(b"of another program")

    download([f"{web.base}/a.bin"], tmp_path / "a.bin", report)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert web.asked == [("/a.bin", None)] * 2


def test_a_server_that_knows_no_ranges_starts_anew(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"], web.ranges, web.cut_at = BODY, False, [5000]
    get(web, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


@pytest.mark.parametrize("tag", ['"2"', ""], ids=["a new version", "no version any more"])
def test_a_file_that_changed_meanwhile_is_fetched_anew(web: Web, tmp_path: Path, tag: str) -> None:
    web.files["/a.bin"], web.cut_at = BODY, [5000] * TRIES
    with pytest.raises(AdairError):
        get(web, tmp_path / "a.bin")
    web.files["/a.bin"], web.tags["/a.bin"] = BODY[::-1], tag
    get(web, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY[::-1]


@pytest.mark.parametrize("tag", ["", 'W/"1"'])
def test_without_a_strong_version_nothing_is_resumed(web: Web, tmp_path: Path, tag: str) -> None:
    web.files["/a.bin"], web.tags["/a.bin"], web.cut_at = BODY, tag, [5000]
    get(web, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY and [wanted for _, wanted in web.asked] == [None, None]


def test_a_part_longer_than_the_file_is_dropped(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"], web.cut_at = BODY, [5000] * TRIES
    with pytest.raises(AdairError):
        get(web, tmp_path / "a.bin")
    web.files["/a.bin"] = b"short"
    get(web, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == b"short"


def test_a_busy_server_is_asked_again(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"], web.answers = BODY, [503, 429]
    get(web, tmp_path / "a.bin")
    assert len(web.asked) == 3


def test_a_mirror_helps_at_once_where_a_file_is_gone(web: Web, tmp_path: Path) -> None:
    web.files["/b.bin"] = BODY
    get(web, tmp_path / "a.bin", "gone.bin", "b.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert [path for path, _ in web.asked] == ["/gone.bin", "/b.bin"]


def test_the_error_names_every_address_and_its_answer(web: Web, tmp_path: Path) -> None:
    web.answers = [404] + [500] * TRIES
    with pytest.raises(AdairError) as caught:
        get(web, tmp_path / "a.bin", "x", "y")
    text = str(caught.value)
    assert re.search(r"/x answers 404 Not Found; http://127.0.0.1:\d+/y answers 500", text) and "\n" not in text
    assert list(tmp_path.iterdir()) == []


def test_a_web_page_is_not_a_dataset(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"], web.kind = b"<html>log in</html>", "text/html; charset=utf-8"
    with pytest.raises(AdairError, match="web page"):
        get(web, tmp_path / "a.bin")


def test_redirects_are_followed_within_the_web_only(web: Web, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    web.files["/a.bin"] = BODY
    web.redirects = {"/there": "/a.bin", "/file": (tmp_path / "secret").as_uri(), "/ftp": "ftp://127.0.0.1/a"}
    get(web, tmp_path / "a.bin", "there")
    assert (tmp_path / "a.bin").read_bytes() == BODY
    for bad in ("file", "ftp"):
        with pytest.raises(AdairError, match=r"not safe|not allowed"):
            get(web, tmp_path / bad, bad)
        assert not (tmp_path / bad).exists()


def test_an_encrypted_address_never_leads_to_a_plain_one() -> None:
    request = download_module.urllib.request.Request("https://example.org/a")
    with pytest.raises(Exception, match="redirects to http"):
        download_module._Redirect().redirect_request(request, None, 302, "Found", {}, "http://example.org/a")


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1/a", "data:,a", "a.bin"])
def test_other_addresses_are_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(AdairError, match="not an http or https address"):
        download([address], tmp_path / "a", lambda done, total: None)


def test_letters_beyond_ascii_are_encoded_once(web: Web, tmp_path: Path) -> None:
    web.files["/gr%C3%B6%C3%9Fe%20a.bin?von=M%C3%BCller"] = BODY
    get(web, tmp_path / "a.bin", "größe%20a.bin?von=Müller")
    assert (tmp_path / "a.bin").read_bytes() == BODY


@pytest.mark.parametrize("address", ["https://[x/a.bin", f"https://{'ö' * 64}.example/a.bin"])
def test_what_is_no_address_is_one_line(web: Web, tmp_path: Path, address: str) -> None:
    with pytest.raises(AdairError, match=r"a\.bin is not an address that can be asked") as caught:
        download([address], tmp_path / "a.bin", lambda done, total: None)
    assert "\n" not in str(caught.value)
    web.redirects = {"/there": address}
    with pytest.raises(AdairError, match=r"there is not an address that can be asked"):
        get(web, tmp_path / "a.bin", "there")


def test_a_disk_that_is_too_small_is_known_before_a_byte_is_written(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.files["/a.bin"] = BODY
    monkeypatch.setattr(download_module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1_500_000}))
    with pytest.raises(AdairError, match=r"needs 0\.0 GB there .* 0\.0 GB are free"):
        get(web, tmp_path / "a.bin")
    assert (tmp_path / "a.bin.part").stat().st_size == 0


@pytest.mark.parametrize("stated", ["", str(len(BODY))], ids=["no length", "its length"])
def test_more_than_a_tenth_above_the_catalogue_is_refused(web: Web, tmp_path: Path, stated: str) -> None:
    web.files["/a.bin"], web.lengths["/a.bin"] = BODY, stated
    address = [f"{web.base}/a.bin"]
    with pytest.raises(AdairError, match="sends more than the"):
        download(address, tmp_path / "a", lambda done, total: None, int(len(BODY) / 1.1) - 1)
    assert list(tmp_path.iterdir()) == [] and len(web.asked) == 1
    download(address, tmp_path / "a", lambda done, total: None, int(len(BODY) / 1.1) + 1)
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_body_without_end_ends(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.files["/a.bin"], web.lengths["/a.bin"], web.endless = BODY, "", {"/a.bin"}
    monkeypatch.setattr(download_module, "LIMIT", 5_000_000)
    with pytest.raises(AdairError, match="sends more than the 5,000,000 bytes"):
        get(web, tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def test_the_disk_is_looked_at_where_no_length_is_stated(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.files["/a.bin"], web.lengths["/a.bin"], web.endless = BODY, "", {"/a.bin"}
    monkeypatch.setattr(download_module, "_ROOM_EVERY", 1000)
    monkeypatch.setattr(download_module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10}))
    with pytest.raises(AdairError, match="are free; make room"):
        get(web, tmp_path / "a.bin")


def test_a_byte_now_and_then_is_too_slow(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.files["/a.bin"], web.pause = BODY, 0.02
    monkeypatch.setattr(download_module, "RATE_SECONDS", 0.1)
    with pytest.raises(AdairError, match=r"sent \d+ bytes a second, less than 1,024"):
        get(web, tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


@pytest.mark.parametrize(("length", "said"), [("9" * 5000, "a length of 5,000 digits"), ("9" * 15, "sends more than")])
def test_absurd_lengths_are_refused(web: Web, tmp_path: Path, length: str, said: str) -> None:
    web.files["/a.bin"], web.lengths["/a.bin"] = BODY, length
    with pytest.raises(AdairError, match=said):
        get(web, tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "WAIT", 0.0)
    with pytest.raises(AdairError, match="cannot be reached"):
        download(["http://127.0.0.1:9/a"], tmp_path / "a", lambda done, total: None)


def test_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(tmp_path / "a", "md5") == "900150983cd24fb0d6963f7d28e17f72"
