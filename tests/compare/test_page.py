"""The page: it holds the pictures bit by bit, asks for nothing, and stays small."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image, ImageCms

from adair.compare import measure, page, picture
from adair.compare.picture import RAMP, difference_map, reduction_factor, web_image
from adair.images import ImageFile


class Parsed(HTMLParser):
    """Elements with their attributes, and the text of each kind."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "input", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.text[self._open[-1]] = self.text.get(self._open[-1], "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def photo(seed: int = 0, height: int = 40, width: int = 60, bands: int = 3) -> ImageFile:
    return ImageFile(np.random.default_rng(seed).integers(0, 256, (height, width, bands)).astype(np.uint8))


def build(first: ImageFile, second: ImageFile, names: tuple[str, str] = ("a.png", "b.png")) -> Parsed:
    return Parsed(page(measure(first, second), first, second, names))


def pictures(parsed: Parsed) -> dict[str, np.ndarray]:
    found = {}
    for attributes in parsed.all("img"):
        kind, data = (attributes["src"] or "").split(",")
        assert kind == "data:image/webp;base64"
        found[attributes["id"] or ""] = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    return found


def test_the_pictures_are_there_bit_by_bit() -> None:
    first, second = photo(0), photo(1)
    found = pictures(build(first, second))
    assert np.array_equal(found["reference"], first.pixels) and np.array_equal(found["image"], second.pixels)
    assert found["difference"].shape == (40, 60, 3)


def test_nothing_is_asked_of_the_net() -> None:
    parsed = build(photo(0), photo(1))
    for tag, attributes in parsed.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "srcset", "action", "poster", "data"):
            assert (attributes.get(name) or "data:").startswith("data:")
    code = parsed.text["script"] + parsed.text["style"]
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttp|eval\(|import\(", code)
    (policy,) = [m["content"] for m in parsed.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy and policy.startswith("default-src 'none'")


def test_controls_can_be_used_with_keyboard_and_reader() -> None:
    parsed = build(photo(0), photo(1))
    (slider,) = [element for element in parsed.all("div") if element.get("role") == "slider"]
    assert slider["tabindex"] == "0" and slider["aria-label"] and slider["aria-valuenow"] == "50"
    assert all(image["alt"] for image in parsed.all("img"))
    values = [(element["name"], element["value"]) for element in parsed.all("input")]
    assert [value for name, value in values if name == "zoom"] == ["fit", "1", "2", "4"]
    assert [value for name, value in values if name == "view"] == ["slider", "reference", "image", "difference"]
    assert "prefers-color-scheme: dark" in parsed.text["style"]
    for name in ("ArrowLeft", "ArrowRight", "Home", "End", "pointerdown", "setPointerCapture"):
        assert name in parsed.text["script"]


def test_numbers_and_notes_are_on_the_page() -> None:
    first, second = photo(0), photo(1, bands=1)
    comparison = measure(first, second)
    parsed = build(first, second)
    assert f"{comparison.psnr_rgb:.2f} dB" in parsed.text["dd"] and f"{comparison.ssim_y:.4f}" in parsed.text["dd"]
    assert "MATLAB" in parsed.text["p"] and "60 × 40" in parsed.text["p"]
    assert "one is gray" in parsed.text["li"]


def test_identical_images_have_a_page_too() -> None:
    parsed = build(photo(0), photo(0))
    assert "infinite" in parsed.text["dd"]
    assert (pictures(parsed)["difference"] == RAMP[0]).all()


def test_names_cannot_break_out() -> None:
    evil = '"><script>alert(1)</script>$width&.png'
    parsed = build(photo(0), photo(1), (evil, "b.png"))
    assert len(parsed.all("script")) == 1 and evil in parsed.text["small"] + parsed.text["h1"]
    assert any(evil in (image["alt"] or "") for image in parsed.all("img"))


def test_large_images_are_shrunk_and_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "MAX_PIXELS", 700)
    first, second = photo(0), photo(0)
    second.pixels[7, 11] = first.pixels[7, 11] ^ 128
    parsed = build(first, second)
    found = pictures(parsed)
    assert {image.shape for image in found.values()} == {(20, 30, 3)}
    assert "shown at 1/2 of their size" in parsed.text["li"] and "2 × 2 pixels" in parsed.text["span"]
    assert np.argwhere((found["difference"] != RAMP[0]).any(axis=2)).tolist() == [[3, 5]]
    block = first.pixels[6:8, 10:12].reshape(4, 3).mean(axis=0)
    assert np.abs(found["reference"][3, 5] - block).max() <= 0.5
    assert "128 of 255" in parsed.text["dd"]


@pytest.mark.parametrize(
    ("width", "height", "factor"), [(1, 1, 1), (4000, 2000, 1), (4001, 2000, 2), (6000, 4000, 2), (20000, 100, 2)]
)
def test_shrinking_is_by_whole_numbers(width: int, height: int, factor: int) -> None:
    assert reduction_factor(width, height) == factor


def test_the_map_is_linear_and_lighter_is_more() -> None:
    base = np.zeros((16, 256, 3), np.uint8)
    other = base.copy()
    other[..., 1] = np.arange(256)
    drawn = difference_map(ImageFile(base), ImageFile(other), 1)
    assert drawn.top == 255
    row = np.asarray(Image.open(io.BytesIO(drawn.data)))[0].astype(int)
    assert tuple(row[0]) == RAMP[0] and tuple(row[-1]) == RAMP[-1] and tuple(row[51]) == RAMP[1]
    light = row @ [0.299, 0.587, 0.114]
    assert (np.diff(light) >= -0.5).all() and light[-1] > light[0] + 200


def test_wild_pixels_do_not_darken_the_map() -> None:
    base = np.zeros((100, 100, 3), np.uint16)
    other = base + np.uint16(10 * 257)
    other[0, 0] = 65535
    assert difference_map(ImageFile(base), ImageFile(other), 1).top == pytest.approx(10)
    assert difference_map(ImageFile(base), ImageFile(base), 3).top == 4


def test_colour_profiles_stay_with_the_pictures() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = web_image(ImageFile(photo().pixels, icc=profile), 1)
    assert Image.open(io.BytesIO(data)).info["icc_profile"] == profile


def test_16_bits_are_rounded_and_gray_becomes_rgb() -> None:
    deep = ImageFile(np.full((4, 4, 1), 257 * 77 + 100, np.uint16))
    assert (np.asarray(Image.open(io.BytesIO(web_image(deep, 1)))) == 77).all()
