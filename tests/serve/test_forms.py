"""Forms with an image and a mask: taken apart, refused, and restored by the server as by the library."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adair.errors import FileFormatError
from adair.restore import Restorer
from adair.serve.forms import FORM, LONGEST_HEADER, Upload, read_upload

TYPE = f"{FORM}; boundary=cut"


def form(*files: tuple[str, bytes], end: bytes = b"--cut--\r\n") -> bytes:
    parts = [
        f'--cut\r\nContent-Disposition: form-data; name="{name}"; filename="../{name}"\r\n'.encode()
        + b"Content-Type: application/octet-stream\r\n\r\n"
        + content
        + b"\r\n"
        for name, content in files
    ]
    return b"".join(parts) + end


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\r\n\r\n--\r\n--cu\r\n", bytes(range(256)) * 9])
def test_files_are_found_whatever_they_contain(content: bytes) -> None:
    assert read_upload(form(("image", content)), TYPE) == Upload(content)
    both = form(("mask", b"white"), ("image", content))
    assert read_upload(both, 'Multipart/Form-Data; charset=utf-8; boundary="cut"') == Upload(content, b"white")
    assert read_upload(b"preamble\r\n" + both, TYPE) == Upload(content, b"white")


@pytest.mark.parametrize(
    "media_type", ["", "image/png", "application/x-www-form-urlencoded", "nonsense", "multipart/mixed"]
)
def test_anything_else_is_the_image_itself(media_type: str) -> None:
    data = form(("image", b"x"))
    assert read_upload(data, media_type) == Upload(data)


@pytest.mark.parametrize(
    ("data", "media_type", "reason"),
    [
        (form(("image", b"x")), FORM, "no boundary"),
        (form(("mask", b"x")), TYPE, "no file 'image'"),
        (form(), TYPE, "no file 'image'"),
        (form(("image", b"x"), ("image", b"y")), TYPE, "'image' twice"),
        (form(("image", b"x"), ("photo", b"y")), TYPE, "a field 'photo'"),
        (form(("image", b"x"), end=b""), TYPE, "damaged"),
        (form(("image", b"x"), end=b"--cut\r\n"), TYPE, "damaged"),
        (b"", TYPE, "damaged"),
        (b"--cut", TYPE, "damaged"),
        (b"--cut\r\n\r\n--cut--", TYPE, "damaged"),
        (b"--cut\r\nx: " + b"y" * LONGEST_HEADER + b"\r\n\r\nimage\r\n--cut--", TYPE, "damaged"),
        (b"--cut\r\nContent-Disposition: form-data\r\n\r\nimage\r\n--cut--", TYPE, "a field ''"),
    ],
)
def test_damaged_forms_and_other_fields_are_refused(data: bytes, media_type: str, reason: str) -> None:
    with pytest.raises(FileFormatError, match=reason):
        read_upload(data, media_type)


def half(height: int = 40, width: int = 60) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[:, width // 2 :] = 255
    return mask


@pytest.mark.parametrize(
    "query", [{}, {"luma": 0.5, "colour": 0.0}, {"task": "dejpeg > denoise"}, {"task": "sr", "scale": 2}]
)
def test_what_the_mask_protects_stays(
    server: Any, library: Restorer, photo: Any, encode: Any, query: dict[str, Any]
) -> None:
    image, mask = photo(), half()
    data = form(("image", encode(image)), ("mask", encode(mask)))
    reply = server.restore(data, {"Content-Type": TYPE}, **query)
    assert reply.status == 200, reply.error
    np.testing.assert_array_equal(reply.pixels, library.restore(image, **{"task": "denoise", **query}, mask=mask))
    if "scale" not in query:
        assert np.array_equal(reply.pixels[mask == 0], image[mask == 0])
        assert not np.array_equal(reply.pixels[mask > 0], image[mask > 0])


def test_the_format_of_the_answer_is_that_of_the_image(server: Any, photo: Any, encode: Any) -> None:
    data = form(("mask", encode(half())), ("image", encode(photo(), "WEBP")))
    reply = server.restore(data, {"Content-Type": TYPE})
    assert reply.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(reply.body)).format == "WEBP"


def test_bad_masks_get_one_line(server: Any, photo: Any, encode: Any) -> None:
    image = encode(photo())
    masks = {
        b"no image": (400, "mask: is not an image"),
        encode(half(41)): (422, "mask: is 60x41 pixels, the image 60x40"),
        encode(np.zeros((300, 300), np.uint8)): (413, "the limit of this server"),
    }
    for mask, (status, words) in masks.items():
        reply = server.restore(form(("image", image), ("mask", mask)), {"Content-Type": TYPE})
        assert reply.status == status and words in reply.error
    assert server.restore(form(("mask", image)), {"Content-Type": TYPE}).status == 400
