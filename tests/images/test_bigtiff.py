"""BigTIFF and pyramids, in and out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from adair.cli.main import main
from adair.images import ImageFile, read_image, write_image
from adair.images.image_file import Extras, TiffOptions
from adair.images.pages import Pages, read_pages, write_pages
from adair.images.tiff import Tiff

IPTC = b"8BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x05\0\x05Title"


def with_metadata(photo: np.ndarray) -> ImageFile:
    exif = Image.Exif()
    exif[0x010F] = "Maker of cameras"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    return ImageFile(photo, exif=exif.tobytes(), xmp=b"<x:xmpmeta/>", extras=Extras(IPTC))


@pytest.mark.parametrize("density", [None, (11.811, 11.811)])
@pytest.mark.parametrize("pyramid", [False, True])
def test_bigtiff_holds_what_a_classic_one_does(
    tmp_path: Path, photo: np.ndarray, pyramid: bool, density: tuple[float, float] | None
) -> None:
    large = np.tile(photo, (8, 8, 1))
    given = ImageFile(large, exif=with_metadata(photo).exif, xmp=b"<x:xmpmeta/>", density=density, extras=Extras(IPTC))
    for big in (False, True):
        path = tmp_path / f"{big}.tif"
        assert write_image(path, large, given, tiff=TiffOptions(big, pyramid)) == ()
        assert Tiff(path.read_bytes()).big == big
        image = read_image(path)
        np.testing.assert_array_equal(image.pixels, large)
        assert (image.density is None) == (density is None)
        assert image.extras.resources == IPTC and image.xmp == b"<x:xmpmeta/>"
        assert image.exif is not None and b"Maker of cameras" in image.exif and b"2026:01:02" in image.exif
        with tifffile.TiffFile(path) as file:
            assert file.is_bigtiff == big and file.pages[0].is_tiled == pyramid
            assert (len(file.pages) > 2) == pyramid
            assert [page.shape[0] for page in file.pages] == [480 >> level for level in range(len(file.pages))]
            assert all(page.is_reduced for page in file.pages[1:])


def test_lab_and_pages_may_be_big(tmp_path: Path, photo: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "lab.tif", photo, photometric="cielab", bigtiff=True)
    lab = read_image(tmp_path / "lab.tif")
    write_image(tmp_path / "out.tif", lab.pixels, lab, tiff=TiffOptions(big=True))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.is_bigtiff and file.pages[0].photometric.name == "CIELAB"
    pages = Pages((with_metadata(photo), ImageFile(photo[:30])))
    (note,) = write_pages(tmp_path / "pages.tif", pages, tiff=TiffOptions(True, True))
    assert "no pyramid" in note
    again = read_pages((tmp_path / "pages.tif").read_bytes(), tmp_path / "pages.tif", Path("x.tif"))
    assert again is not None and Tiff((tmp_path / "pages.tif").read_bytes()).big
    for before, after in zip(pages.images, again.images, strict=True):
        np.testing.assert_array_equal(before.pixels, after.pixels)


def test_a_pyramid_is_one_picture_and_becomes_one_on_request(
    tmp_path: Path, photo: np.ndarray, model_files: Path
) -> None:
    large = np.tile(photo, (4, 4, 1))
    write_image(tmp_path / "in.tif", large, tiff=TiffOptions(pyramid=True))
    pages = read_pages((tmp_path / "in.tif").read_bytes(), tmp_path / "in.tif", tmp_path / "out.tif")
    assert pages is not None and len(pages.images) == 1 and "--pyramid" in pages.images[0].notes[0]
    words = [
        "restore",
        str(tmp_path / "in.tif"),
        "-t",
        "foundation",
        "-o",
        str(tmp_path / "out.tif"),
        "--device",
        "cpu",
    ]
    words += ["--foundation", str(model_files / "foundation.safetensors"), "--pyramid", "--bigtiff"]
    assert main(words) == 0
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.is_bigtiff and len(file.pages) > 1 and file.pages[0].shape == large.shape


def test_more_than_a_classic_tiff_holds_becomes_big(
    tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("writing", "pages"):
        monkeypatch.setattr(f"adair.images.{module}.LARGEST_CLASSIC", photo.nbytes - 1)
    write_image(tmp_path / "a.tif", photo)
    write_image(tmp_path / "b.tif", photo[:30])
    write_pages(tmp_path / "c.tif", Pages((ImageFile(photo[:30]), ImageFile(photo[:30]))))
    assert [Tiff((tmp_path / f"{name}.tif").read_bytes()).big for name in "abc"] == [True, False, True]
