"""Files that must not hang, blind or mislead: pipes, devices, races, dead processes, raw photos, damage."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import adair
from adair.cli.main import main
from adair.errors import AdairError, FileFormatError, InputError, OutOfMemoryError, one_line
from adair.images import files, limits, parts, read_image, write_image
from adair.images.files import write_whole
from adair.weights.header import read_header

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and signals of POSIX")


def noise(height: int = 200, width: int = 200) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@posix
@pytest.mark.parametrize("read", [read_image, read_header], ids=["image", "weights"])
def test_pipes_and_devices_are_refused_at_once(tmp_path: Path, read: object) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    for name, word in (("pipe.png", "pipe"), ("zero.png", "device")):
        with pytest.raises(AdairError, match=f"{name}: is a {word}"):
            read(tmp_path / name)  # type: ignore[operator]


@posix
def test_a_pipe_in_a_folder_is_one_failed_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(tmp_path / "in" / "a.png", noise(20, 20))
    os.mkfifo(tmp_path / "in" / "b.png")
    assert main(["degrade", str(tmp_path / "in"), "--recipe", "noise", "-o", str(tmp_path / "out")]) == 1
    assert "b.png: is a pipe" in capsys.readouterr().err
    assert os.listdir(tmp_path / "out") == ["a.png"]


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(100))
    with pytest.raises(InputError, match="100 bytes; files of at most 99 bytes are read"):
        files.read_stable(tmp_path / "a.bin", 99)
    assert len(files.read_stable(tmp_path / "a.bin", 100)) == 100


def test_of_those_that_write_one_file_exactly_one_succeeds(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def race(mine: int) -> list[int]:
        won = []
        for number in range(20):
            start.wait()
            with contextlib.suppress(AdairError):
                write_whole(tmp_path / f"{number}.bin", bytes([mine]) * 1000, overwrite=False)
                won.append(number)
        return won

    with ThreadPoolExecutor(8) as pool:
        wins = [number for won in pool.map(race, range(8)) for number in won]
    assert sorted(wins) == list(range(20))
    assert sorted(os.listdir(tmp_path)) == sorted(f"{number}.bin" for number in range(20))


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    path = tmp_path / "a.png"
    fsync = os.fsync

    def appear(descriptor: int) -> None:
        fsync(descriptor)
        path.write_bytes(b"of another process")

    def no_links(*_: object) -> None:
        raise PermissionError(1, "no links here")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    write_image(tmp_path / "new.png", noise(9, 9), overwrite=False)
    assert read_image(tmp_path / "new.png").pixels.shape == (9, 9, 3)
    monkeypatch.setattr(os, "fsync", appear)
    with pytest.raises(AdairError, match=r"a\.png: exists"):
        write_image(path, noise(9, 9), overwrite=False)
    assert path.read_bytes() == b"of another process"
    assert sorted(os.listdir(tmp_path)) == ["a.png", "new.png"]


@posix
def test_parts_of_dead_processes_are_swept_and_others_stay(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        "dead": f".adair-{parts._HOST}-{dead.pid}-00aa.part",
        "alive": f".adair-{parts._HOST}-{os.getppid()}-00aa.part",
        "elsewhere": f".adair-{'0' * 6}-{dead.pid}-00aa.part",
        "young": f".adair-{parts._HOST}-{dead.pid}-00bb.part",
    }
    for key, name in names.items():
        (tmp_path / name).write_bytes(b"half")
        if key != "young":
            os.utime(tmp_path / name, (1, 1))
    write_whole(tmp_path / "a.txt", b"whole")
    assert set(os.listdir(tmp_path)) == {"a.txt", names["alive"], names["elsewhere"], names["young"]}


@posix
def test_sigterm_ends_a_command_like_ctrl_c(tmp_path: Path) -> None:
    script = f"""
import os, signal, threading, time
from pathlib import Path
from adair.cli import main as cli
from adair.images import files
fsync = os.fsync
def slow(descriptor):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(20)
os.fsync = slow
import numpy as np
from PIL import Image
Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save({str(tmp_path / "a.png")!r})
os.chdir({str(tmp_path)!r})
raise SystemExit(cli.main(["degrade", "a.png", "--recipe", "noise", "-o", "b.png"]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 130
    assert "interrupted" in done.stderr and "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == ["a.png"]


def test_an_image_larger_than_memory_is_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "a.png", noise().astype(np.uint16))
    monkeypatch.setattr(limits, "memory_available", lambda: 200 * 200 * 3 * 2 * 2 - 1)
    with pytest.raises(OutOfMemoryError, match=r"200x200 with 3 channels of 16 bits needs 0\.00 GB.* are free"):
        read_image(tmp_path / "a.png")
    monkeypatch.setattr(limits, "memory_available", lambda: 200 * 200 * 3 * 2 * 2)
    read_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("suffix", "damage", "cause"),
    [
        (".png", "cut", "ends after .* bytes, within its chunk IDAT"),
        (".png", "flip", "chunk IDAT at byte .* does not match its checksum"),
        (".jpg", "cut", "premature end"),
        (".tif", "cut", "directory should lie at byte"),
        (".webp", "cut", "the file has .* of .* bytes"),
        (".avif", "cut", "outside of file bounds|end of file"),
    ],
)
def test_the_cause_of_damage_is_named(tmp_path: Path, suffix: str, damage: str, cause: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_image(path, noise())
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    path.write_bytes(data[:half] if damage == "cut" else data[:half] + bytes([data[half] ^ 255]) + data[half + 1 :])
    with pytest.raises(FileFormatError, match=rf"damaged or truncated \(.*({cause})"):
        read_image(path)


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}, {"subsampling": 2}])
def test_zeroed_bytes_in_a_jpeg_are_noticed_and_flat_areas_are_not(tmp_path: Path, options: dict[str, object]) -> None:
    waves = (np.add.outer(np.arange(400), np.arange(400)) % 256).astype(np.uint8)
    flat = np.full((2000, 2000, 3), 255, np.uint8)
    for number, picture in enumerate((noise(400, 400), flat, np.dstack([waves] * 3))):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=90, **options)
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(buffer.getvalue())
        assert read_image(path).notes == ()
        if number == 0:
            data = bytearray(buffer.getvalue())
            at = len(data) // 3
            data[at : at + 100] = bytes(100)
            path.write_bytes(data)
            with contextlib.suppress(FileFormatError):  # where the decoder itself notices
                assert "looks damaged: zeroed bytes" in read_image(path).notes[0]


def tiff_directory(*entries: tuple[int, int]) -> bytes:
    """A TIFF file that holds nothing but a directory of 32-bit numbers."""
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.NEF", tiff_directory((0xFE, 1), (0x14A, 100)), "NEF"),
        ("a.tif", tiff_directory((0xFE, 1), (0x14A, 100)), "camera's"),
        ("a.arw", tiff_directory((0x100, 160)), "ARW"),
        ("a.dng", tiff_directory((0xC612, 0x00000401)), "DNG"),
        ("a.jpg", tiff_directory((0xC612, 0x00000401)), "DNG"),
        ("a.cr2", b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "CR2"),
        ("a.cr3", b"\0\0\0\x18ftypcrx " + bytes(40), "CR3"),
        ("a.raf", b"FUJIFILMCCD-RAW 0201" + bytes(40), "RAF"),
        ("a.orf", b"IIRO\x08\0\0\0" + bytes(40), "ORF"),
    ],
)
def test_raw_photos_are_never_restored_from_their_preview(
    tmp_path: Path, name: str, data: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(data)
    if find_spec("rawpy"):  # it says that there is nothing but a header
        with pytest.raises(FileFormatError, match=rf"{kind} damaged or truncated \(\w"):
            read_image(tmp_path / name)
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(InputError, match=rf"is a {kind} raw photo; reading it needs rawpy.*adair\[raw\]"):
        read_image(tmp_path / name)


def test_an_ordinary_tiff_is_not_raw(tmp_path: Path) -> None:
    write_image(tmp_path / "a.tif", noise(9, 9))
    assert read_image(tmp_path / "a.tif").notes == ()


def test_gain_maps_and_frames_are_named(tmp_path: Path) -> None:
    xmp = b'<x:xmpmeta xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"></x:xmpmeta>'
    Image.fromarray(noise()).save(tmp_path / "a.jpg", xmp=xmp)
    assert "HDR gain map: left out" in read_image(tmp_path / "a.jpg").notes[0]
    frames = [Image.fromarray(noise(20, 20)), Image.fromarray(255 - noise(20, 20))]
    for suffix in (".png", ".webp", ".tif"):
        frames[0].save(tmp_path / f"b{suffix}", save_all=True, append_images=frames[1:])
        assert "2 pages or frames" in read_image(tmp_path / f"b{suffix}").notes[0]


def test_control_characters_and_long_lines_never_reach_the_terminal() -> None:
    text = str(AdairError("a\x1b[2J\x07\n\x9b\u202e.png: " + "x" * 5000 + "; give another"))
    assert text.isprintable() and len(text) <= 600
    assert text.startswith("a\\x1b[2J\\x07 \\x9b\\u202e.png") and text.endswith("; give another")
    assert one_line("plain text, ünïcode 漢字") == "plain text, ünïcode 漢字"


@posix
def test_a_hostile_file_name_is_escaped_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = tmp_path / "a\x1b[31m.png"
    write_image(name, noise(9, 9))
    assert main(["degrade", str(name), "--recipe", "noise", "-o", str(tmp_path / "b.png")]) == 0
    assert main(["degrade", str(name), "--recipe", "noise", "-o", str(tmp_path / "b.png")]) == 2
    out = capsys.readouterr()
    assert "\x1b" not in out.out + out.err and "\\x1b[31m" in out.out


def test_untrusted_loaders_are_blocked(tmp_path: Path) -> None:
    import pyvips

    read_image_path = tmp_path / "a.png"
    write_image(read_image_path, noise(9, 9))
    read_image(read_image_path)
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    with pytest.raises(pyvips.Error):
        pyvips.Image.new_from_file(str(tmp_path / "a.csv"))


def test_public_names() -> None:
    assert adair.read_image is read_image and adair.write_image is write_image


@posix
def test_main_restores_no_foreign_handler() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        main(["--version"])
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
