"""Measure whether restored videos flicker: how much pixels change from frame to frame where the scene stands still.

    python benchmarks/flicker.py [--frames N] [--json FILE]

A photo stands still while a part of another one moves across it, so it is known where nothing should change. Every
frame is damaged on its own, as a camera or a codec does it, written without loss, and restored by
`adair.restore_video`. Flicker is the mean change of the luma of still pixels between neighbouring frames, in levels of
255; PSNR is that of luma against the scene, of all pixels and of those that something moves across.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from adair import RestoreOptions, Restorer, degrade, restore_video
from adair.restore import FileOptions

PHOTOS = Path(__file__).resolve().parents[1] / "examples" / "photos"
SIZE = 384, 288  # width and height of the scene
PATCH = 96  # side of what moves
SPEED = 6  # pixels a frame

# Task, what befalls every frame on its own, and what compresses the video afterwards (crf of H.264, or None).
CASES: list[tuple[str, str, int | None]] = [
    ("denoise", "noise(sigma=10)", 18),
    ("denoise", "noise(sigma=20)", 23),
    ("gaussian-denoise", "noise(sigma=25)", None),
    ("dejpeg", "jpeg(quality=30)", None),
    ("dejpeg", "noise(sigma=2)", 35),
    ("deblur", "blur(sigma=1.6, kernel=25) > noise(sigma=1)", None),
    ("deblur", "blur(sigma=1.6, kernel=25) > noise(sigma=3)", 18),
    ("deblur", "blur(sigma=1.6, kernel=25)", 23),
    ("sr", "resize(scale=2) > noise(sigma=2)", 18),
    ("derain", "rain(amount=0.1, brightness=0.5, haze=0)", None),
]


def scene(frames: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return clean frames, and where nothing moves in any of them."""
    still, moving = (
        np.asarray(Image.open(path).convert("RGB").crop((0, 0, *SIZE))) for path in sorted(PHOTOS.glob("*.webp"))[:2]
    )
    part = moving[100 : 100 + PATCH, 100 : 100 + PATCH]
    mask = np.ones(still.shape[:2], bool)
    pictures = []
    top = SIZE[1] // 2 - PATCH // 2
    for number in range(frames):
        picture = still.copy()
        left = 20 + SPEED * number
        picture[top : top + PATCH, left : left + PATCH] = part
        mask[max(0, top - 16) : top + PATCH + 16, max(0, left - 16) : left + PATCH + 16] = False
        pictures.append(picture)
    return pictures, mask


def write(path: Path, pictures: list[np.ndarray], crf: int | None) -> None:
    """Write a video without loss, or with that of H.264."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1" if crf is None else "libx264", rate=Fraction(25))
        stream.width, stream.height = pictures[0].shape[1], pictures[0].shape[0]
        stream.pix_fmt = "yuv444p" if crf is None else "yuv420p"
        stream.options = {} if crf is None else {"crf": str(crf)}
        stream.codec_context.colorspace, stream.codec_context.color_range = 5, 1
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(
                format=stream.pix_fmt, dst_colorspace=5, dst_color_range=1, interpolation="BICUBIC"
            )
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


def lumas(path: Path) -> np.ndarray:
    """Luma of all frames, (N, H, W), 0 to 255."""
    with av.open(str(path)) as container:
        planes = [frame.planes[0] for frame in container.decode(video=0)]
        frames = [np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width] for plane in planes]
    return (np.stack(frames).astype(float) - 16) * 255 / 219


def luma_of(pictures: list[np.ndarray]) -> np.ndarray:
    """Luma of clean pictures, as `lumas`."""
    return np.stack([picture @ np.array([0.299, 0.587, 0.114]) for picture in pictures])


def flicker(frames: np.ndarray, mask: np.ndarray) -> float:
    """Mean change from frame to frame where nothing moves."""
    return float(np.abs(np.diff(frames, axis=0))[:, mask].mean())


def quality(frames: np.ndarray, clean: np.ndarray, mask: np.ndarray) -> float:
    """PSNR in dB where ``mask`` is true."""
    return float(10 * np.log10(255**2 / np.square(frames - clean)[:, mask].mean()))


def measure(restorer: Restorer, case: tuple[str, str, int | None], frames: int, folder: Path) -> dict[str, Any]:
    """Damage, restore and measure one video."""
    task, recipe, crf = case
    clean, mask = scene(frames)
    damaged = [degrade(picture, recipe, seed=number) if recipe else picture for number, picture in enumerate(clean)]
    source, target = folder / "in.mkv", folder / "out.mkv"
    write(source, damaged, crf)
    options = RestoreOptions(task, scale=1 if task == "sr" else None)
    restore_video(source, target, options=options, files=FileOptions(codec="ffv1", overwrite=True), restorer=restorer)
    before, after, truth = lumas(source), lumas(target), luma_of(clean)
    return {
        "task": task,
        "damage": " > ".join(filter(None, (recipe, f"H.264, crf {crf}" if crf else ""))),
        "flicker before": round(flicker(before, mask), 2),
        "flicker after": round(flicker(after, mask), 2),
        "psnr before": round(quality(before, truth, mask | True), 2),
        "psnr after": round(quality(after, truth, mask | True), 2),
        "psnr of motion": round(quality(after, truth, ~mask), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    restorer = Restorer.load()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            rows.append(measure(restorer, case, arguments.frames, Path(folder)))
            print(rows[-1], flush=True)
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
