"""The page: a self-contained HTML file that shows two images and their difference, without network access."""

from __future__ import annotations

import base64
import html

from adair.compare.measure import PROTOCOLS, Comparison
from adair.compare.picture import MAX_PIXELS, RAMP, difference_map, reduction_factor, web_image
from adair.images import ImageFile
from adair.pages import fill_page

_LABELS = {
    "psnr_rgb": "PSNR, RGB",
    "psnr_y": "PSNR, Y",
    "ssim_rgb": "SSIM, RGB",
    "ssim_y": "SSIM, Y",
    "largest_difference": "Largest difference",
    "differing": "Pixels that differ",
}


def figures(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Return the metrics as text: name, value, and how it was measured."""
    texts = {
        "psnr_rgb": _text(comparison.psnr_rgb, "{:.2f} dB", "infinite"),
        "psnr_y": _text(comparison.psnr_y, "{:.2f} dB", "infinite"),
        "ssim_rgb": _text(comparison.ssim_rgb, "{:.4f}", "none"),
        "ssim_y": _text(comparison.ssim_y, "{:.4f}", "none"),
        "largest_difference": f"{comparison.largest_difference:.4g} of 255",
        "differing": f"{100 * comparison.differing:.4g} %",
    }
    border = f"; {comparison.crop} pixels left out at each border" if comparison.crop else ""
    return [(_LABELS[name], text, PROTOCOLS[name] + border) for name, text in texts.items()]


def page(comparison: Comparison, reference: ImageFile, image: ImageFile, names: tuple[str, str]) -> str:
    """Return a comparison as HTML.

    The page contains the images as lossless WebP. Images of more than `MAX_PIXELS` pixels are reduced by an integer
    factor, which the page states; the metrics are always those of the full images.

    Args:
        comparison: the result of `measure` for ``reference`` and ``image``.
        names: their names on the page.
    """
    factor = reduction_factor(comparison.width, comparison.height)
    difference = difference_map(reference, image, factor)
    notes = list(comparison.notes)
    if factor > 1:
        notes.append(
            f"The images are larger than {MAX_PIXELS / 1e6:g} megapixels and shown at 1/{factor} of their size; the "
            "metrics are those of the full images."
        )
    cards = "".join(
        f"<div><dt>{html.escape(label)}</dt><dd>{html.escape(value)}</dd><p>{html.escape(how)}</p></div>"
        for label, value, how in figures(comparison)
    )
    stops = ", ".join(f"rgb({red} {green} {blue})" for red, green, blue in RAMP)
    top = difference.top
    return fill_page(
        "adair.compare",
        reference_name=html.escape(names[0]),
        image_name=html.escape(names[1]),
        size=f"{comparison.width} × {comparison.height}",
        kinds=html.escape(" and ".join(dict.fromkeys((_kind(reference), _kind(image))))),
        cards=cards,
        notes="".join(f"<li>{html.escape(note)}</li>" for note in notes),
        width=-(-comparison.width // factor),
        height=-(-comparison.height // factor),
        reference=_uri(web_image(reference, factor)),
        image=_uri(web_image(image, factor)),
        difference=_uri(difference.data),
        stops=stops,
        middle=f"{top / 2:.3g}",
        top=f"{top:.3g}",
        square=f", the largest of each {factor} × {factor} pixels" if factor > 1 else "",
    )


def _text(value: float | None, form: str, otherwise: str) -> str:
    return otherwise if value is None else form.format(value)


def _kind(image: ImageFile) -> str:
    return f"{image.pixels.dtype.itemsize * 8}-bit {'gray' if image.pixels.shape[2] == 1 else 'RGB'}"


def _uri(data: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"
