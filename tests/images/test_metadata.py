"""IPTC, XMP, maker's notes, comments and texts: kept, or a note says what is lost."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, IptcImagePlugin, PngImagePlugin

from adair.images import ImageFile, read_image, write_image
from adair.images.image_file import Extras
from adair.images.metadata import iptc_of
from adair.images.pages import Pages, read_pages, write_pages

NOTE = b"MAKER II*\0" + bytes(range(250))
XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description tiff:Orientation="6" '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
IPTC = b"\x1c\x02\x05" + struct.pack(">H", 5) + b"Title"
COPYRIGHT = b"8BIM\x04\x0a\0\0" + struct.pack(">I", 1) + b"\1\0"


def exif(orientation: int = 6) -> bytes:
    block = Image.Exif()
    block[0x010F], block[0x0112] = "Maker", orientation
    inner = block.get_ifd(0x8769)
    inner[0x927C], inner[0x9286], inner[0xA002], inner[0xA003] = NOTE, b"ASCII\0\0\0remark", 90, 60
    return block.tobytes()


def resources() -> bytes:
    iptc = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + b"\0" * (len(IPTC) % 2)
    thumbnail = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 4) + b"tiny"
    return iptc + thumbnail + COPYRIGHT


def jpeg(photo: np.ndarray, path: Path, block: bytes) -> Path:
    """A photo from a camera, edited."""
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", exif=exif(), xmp=XMP, comment="a comment é".encode(), quality=95)
    marked = b"Photoshop 3.0\0" + block
    data = buffer.getvalue()
    path.write_bytes(data[:2] + b"\xff\xed" + struct.pack(">H", len(marked) + 2) + marked + data[2:])
    return path


def place_of_note(data: bytes) -> int:
    """Where the maker's note lies from the start of its EXIF block."""
    return data.find(NOTE) - data.find(b"MM\0*")


def test_a_jpeg_keeps_everything_where_it_was(tmp_path: Path, photo: np.ndarray) -> None:
    source, target = jpeg(photo, tmp_path / "in.jpg", resources()), tmp_path / "out.jpg"
    image = read_image(source)
    assert image.notes == () and image.extras.resources is not None and b"tiny" not in image.extras.resources
    assert write_image(target, image.pixels, image) == ()
    data = target.read_bytes()
    assert place_of_note(data) == place_of_note(source.read_bytes()) > 0
    assert b"a comment \xc3\xa9" in data and COPYRIGHT in data and b"tiny" not in data
    with Image.open(target) as out:
        assert IptcImagePlugin.getiptcinfo(out) == {(2, 5): b"Title"}
        assert out.info["comment"].decode() == "a comment é"
        assert out.info["xmp"] == XMP.replace(b'"6"', b'"1"')
        tags = out.getexif()
        assert (tags[0x0112], tags[0x010F]) == (1, "Maker")
        assert tags.get_ifd(0x8769)[0x9286] == b"ASCII\0\0\0remark"
        assert (tags.get_ifd(0x8769)[0xA002], tags.get_ifd(0x8769)[0xA003]) == (60, 90)  # upright
    again = read_image(target)
    assert again.extras == image.extras and again.pixels.shape == image.pixels.shape


def test_other_formats_keep_what_they_can_and_say_what_is_lost(tmp_path: Path, photo: np.ndarray) -> None:
    image = read_image(jpeg(photo, tmp_path / "in.jpg", resources()))
    said = {suffix: " ".join(write_image(tmp_path / f"a{suffix}", image.pixels, image)) for suffix in SUFFIXES}
    for suffix, notes in said.items():
        assert ("IPTC" in notes) == (suffix != ".tif")
        assert ("comments" in notes) == (suffix != ".png")
        assert ("note in EXIF has moved" in notes) == (suffix in (".tif", ".avif"))
        again = read_image(tmp_path / f"a{suffix}")
        if suffix == ".bmp":
            assert "EXIF" in notes and "XMP" in notes
        else:
            assert again.exif is not None and NOTE in again.exif
            assert again.xmp is not None and b'Orientation="1"' in again.xmp
    for suffix in (".png", ".webp"):
        data = (tmp_path / f"a{suffix}").read_bytes()
        assert place_of_note(data) == place_of_note((tmp_path / "in.jpg").read_bytes())
        with Image.open(tmp_path / f"a{suffix}") as out:
            assert out.getexif()[0x010F] == "Maker" and out.getexif().get(0x0112, 1) == 1
    with Image.open(tmp_path / "a.png") as out:
        assert out.text["Comment"] == "a comment é"


SUFFIXES = [".tif", ".png", ".webp", ".avif", ".bmp"]


def test_iptc_survives_tiff_and_comes_back(tmp_path: Path, photo: np.ndarray) -> None:
    image = read_image(jpeg(photo, tmp_path / "in.jpg", resources()))
    write_image(tmp_path / "a.tif", image.pixels, image)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tags = file.pages[0].tags
        assert bytes(tags[33723].value) == IPTC and COPYRIGHT in bytes(tags[34377].value)
    back = read_image(tmp_path / "a.tif")
    assert back.extras.resources == image.extras.resources and back.notes == ()
    tifffile.imwrite(tmp_path / "b.tif", photo, extratags=[(33723, 7, len(IPTC), IPTC, True)], software=False)
    only = read_image(tmp_path / "b.tif").extras.resources
    assert only is not None and iptc_of(only) == IPTC


def test_large_blocks_are_split_or_left_out_with_a_note(tmp_path: Path, photo: np.ndarray) -> None:
    large = b"8BIM\x04\x0a\0\0" + struct.pack(">I", 100_000) + bytes(100_000)
    block = Image.Exif()
    block.get_ifd(0x8769)[0x927C] = bytes(70_000)
    image = ImageFile(photo, exif=block.tobytes(), xmp=XMP + bytes(70_000), extras=Extras(resources() + large))
    (note,) = write_image(tmp_path / "a.jpg", photo, image)
    assert "EXIF of more than 64 KB or XMP of more than 64 KB" in note
    assert (
        read_image(tmp_path / "a.jpg").extras.resources
        == resources().replace(b"8BIM\x04\x0c\0\0" + struct.pack(">I", 4) + b"tiny", b"") + large
    )


def test_texts_of_a_png_are_kept_as_they_are(tmp_path: Path, photo: np.ndarray) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Zürich")
    info.add_itxt("Description", "山", "ja", "説明")
    info.add_text("Log", "x" * 500, zip=True)
    info.add_text("Raw profile type exif", "old")
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    Image.fromarray(photo).save(tmp_path / "in.png", pnginfo=info)
    image = read_image(tmp_path / "in.png")
    assert write_image(tmp_path / "out.png", image.pixels, image) == ()
    with Image.open(tmp_path / "out.png") as out:
        out.load()
        assert (out.text["Title"], out.text["Description"], out.text["Log"]) == ("Zürich", "山", "x" * 500)
        assert out.text["Description"].lang == "ja" and "Raw profile type exif" not in out.text
        assert list(out.text).count("XML:com.adobe.xmp") == 1
    assert read_image(tmp_path / "out.png").extras == image.extras
    (note,) = write_image(tmp_path / "out.jpg", image.pixels, image)
    assert "PNG texts (Title, Description, Log)" in note
    (note,) = write_pages(tmp_path / "out.avif", Pages((image, image)))
    assert "PNG texts" in note
    write_pages(tmp_path / "moving.png", Pages((image, read_image(tmp_path / "out.jpg"))))
    with Image.open(tmp_path / "moving.png") as out:
        assert out.text["Title"] == "Zürich" and out.n_frames == 2


def test_lost_tags_of_a_tiff_are_named(tmp_path: Path, photo: np.ndarray) -> None:
    extra = [(269, 2, 4, "doc", True), (33550, 12, 3, (1.0, 1.0, 0.0), True), (65000, 2, 2, "x", True)]
    tifffile.imwrite(tmp_path / "a.tif", photo, extratags=extra, description="kept", software="kept")
    (note,) = read_image(tmp_path / "a.tif").notes
    assert "DocumentName, ModelPixelScale" in note and "private" in note and "ImageDescription" not in note


def test_credentials_and_broken_blocks_are_left_out_with_a_note(tmp_path: Path, photo: np.ndarray) -> None:
    source = jpeg(photo, tmp_path / "in.jpg", b"8BIM\x04")
    data = source.read_bytes()
    source.write_bytes(data[:2] + b"\xff\xeb\0\x14JP\0\1\0\0\0\1\0\0\0\x08jumb" + data[2:])
    image = read_image(source)
    assert "C2PA" in image.notes[0] or image.extras == Extras()
    (note,) = write_image(tmp_path / "b.jpg", photo, ImageFile(photo, exif=b"Exif\0\0nonsense"))
    assert "EXIF that cannot be read" in note
    assert read_image(tmp_path / "b.jpg").exif is None


HLG, GAMMA = b"cICP" + bytes((9, 18, 0, 1)), b"gAMA" + struct.pack(">I", 55556)
WIDE = b"cHRM" + struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
PLAIN = (
    b"cICP" + bytes((1, 13, 0, 1)),
    b"gAMA" + struct.pack(">I", 45454),
    b"cHRM" + struct.pack(">8I", 31269, 32899, 63999, 33001, 30000, 60000, 15000, 5999),
)


def described(photo: np.ndarray, path: Path, *contents: bytes, frames: int = 1) -> Path:
    """A PNG with chunks about its colours."""
    buffer = io.BytesIO()
    picture = Image.fromarray(photo)
    options = {"save_all": True, "append_images": [Image.fromarray(255 - photo)]} if frames > 1 else {}
    picture.save(buffer, "PNG", **options)
    data = buffer.getvalue()
    chunks = [
        struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content)) for content in contents
    ]
    path.write_bytes(data[:33] + b"".join(chunks) + data[33:])
    return path


@pytest.mark.parametrize(
    ("contents", "kept"),
    [
        ((HLG,), (HLG,)),
        ((GAMMA, WIDE), (WIDE, GAMMA)),
        (PLAIN, ()),
        ((b"sRGB\0", GAMMA, HLG), (HLG,)),
        ((b"gAMA\1",), ()),
    ],
    ids=["cicp", "gamma", "srgb", "overruled", "broken"],
)
def test_what_a_png_says_of_its_colours_is_kept_or_named(
    tmp_path: Path, photo: np.ndarray, contents: tuple[bytes, ...], kept: tuple[bytes, ...]
) -> None:
    image = read_image(described(photo, tmp_path / "in.png", *contents))
    assert image.notes == () and write_image(tmp_path / "out.png", image.pixels, image) == ()
    data = (tmp_path / "out.png").read_bytes()
    for one in {HLG, GAMMA, WIDE, *PLAIN}:
        assert (0 < data.find(one) < data.find(b"IDAT")) == (one in kept)
    np.testing.assert_array_equal(read_image(tmp_path / "out.png").pixels, photo)
    said = " ".join(write_image(tmp_path / "out.jpg", image.pixels, image))
    assert said == "" if not kept else all(one[:4].decode() in said for one in kept)


@pytest.mark.parametrize("suffix", [".png", ".avif", ".webp"])
def test_what_an_animated_png_says_of_its_colours_is_kept_or_named(
    tmp_path: Path, photo: np.ndarray, suffix: str
) -> None:
    source = described(photo, tmp_path / "in.png", HLG, frames=2)
    pages = read_pages(source.read_bytes(), source, tmp_path / f"out{suffix}")
    assert pages is not None
    said = " ".join(write_pages(tmp_path / f"out{suffix}", pages))
    assert (HLG in (tmp_path / f"out{suffix}").read_bytes()) == (suffix == ".png")
    assert ("cICP" in said) == (suffix != ".png")
