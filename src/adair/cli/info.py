"""``adair info``: facts about a file: an adapter, a foundation, or an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def info(
    file: Annotated[
        Path, typer.Argument(help="An adapter, a foundation, or an image; also zoo/NAME, hf://... or https://...")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is in a file, after reading all of it, so that damage is noticed."""
    from adair.cli.show import print_facts, print_json, size
    from adair.hub import locate

    file = locate(file)
    facts = _weights(file) if _looks_like_weights(file) else _image(file)
    if as_json:
        print_json(facts)
        return
    facts["bytes"] = f"{facts['bytes']:,} ({size(facts['bytes'])})"
    if "measured" in facts:
        from adair.weights.cards import figures_line

        facts["parameters"] = f"{facts['parameters']:,}"
        facts["measured"] = {
            figures_line(entry): entry.get("protocol") or "no protocol given" for entry in facts["measured"]
        } or None
        facts["card"] = facts["card"] or None
    print_facts(facts)


def _looks_like_weights(file: Path) -> bool:
    """Whether a file is safetensors, by name or content: a JSON object after the first eight bytes."""
    if file.suffix.lower() == ".safetensors":
        return True
    try:
        with file.open("rb") as opened:
            return opened.read(9)[8:] == b"{"
    except OSError:  # the image reader reports what is wrong with it
        return False


def _weights(file: Path) -> dict[str, Any]:
    from adair.adapters import load_adapter
    from adair.weights import load_foundation, read_header, read_tensors
    from adair.weights.cards import describe_weights

    header = read_header(file)
    facts = describe_weights(header)
    if header.kind == "foundation":
        load_foundation(file)
        facts["checked"] = "all tensors fit the backbone and match the fingerprint"
    elif header.kind == "adapter":
        foundation = load_foundation()
        facts["fits_bundled_foundation"] = facts["foundation"] == foundation.fingerprint
        if facts["fits_bundled_foundation"]:
            load_adapter(file, foundation)
            facts["checked"] = "all tensors fit the bundled foundation"
    if "checked" not in facts:
        read_tensors(header)
        facts["checked"] = "all values are finite"
    return facts


def _image(file: Path) -> dict[str, Any]:
    from adair.images import read_image

    image = read_image(file)
    height, width, bands = image.pixels.shape
    return {
        "file": str(file),
        "kind": "image",
        "width": width,
        "height": height,
        "megapixels": round(width * height / 1e6, 2),
        "channels": ("gray" if bands == 1 else "RGB") + (" and alpha" if image.alpha is not None else ""),
        "bits": image.pixels.dtype.itemsize * 8,
        "colour_profile": _profile(image.icc),
        "dots_per_inch": [round(value * 25.4) for value in image.density or ()],
        "exif_bytes": len(image.exif or b""),
        "xmp_bytes": len(image.xmp or b""),
        "notes": list(image.notes),
        "bytes": file.stat().st_size,
    }


def _profile(icc: bytes | None) -> str:
    """Return the name that the profile states."""
    if icc is None:
        return "none (assumed sRGB)"
    import io

    from PIL import ImageCms

    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    except (ImageCms.PyCMSError, OSError):
        return f"unreadable, {len(icc)} bytes"
