"""Any corpus of files through reading, restoring and writing, in processes with limits; prints counts.

    python benchmarks/hostile.py FOLDER [--seconds 60] [--gigabytes 8] [--json FILE]
    python benchmarks/hostile.py --make FOLDER [--count 1000] [--seed 0]

A file may be restored or refused; everything else is a defect: a crash, a hang, more memory than allowed, an exception
that is no AdairError, a message that is not one line or does not name the file, a refusal that leaves a file behind, a
result that Pillow cannot read or that has another size. Exit code 1 if there is any. The network is tiny and random: it
is what lies around it that is tested. --make writes a corpus of its own making: small pictures in all formats, depths
and modes, cut off, with bytes flipped, zeroed or repeated, and with sizes in their headers that they do not have.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

CONFIG = {"width": 8, "encoder": (1,), "middle": 1, "decoder": (1,)}
GOOD = ("restored", "refused")
TARGETS = {".tif": ".tif", ".tiff": ".tif", ".jpg": ".jpg", ".jpeg": ".jpg"}  # of others: PNG


def serve_files(gigabytes: float) -> None:
    """What a child process does: read names, one a line; answer each with a line of JSON."""
    import torch

    from adair.backbones import build_backbone
    from adair.errors import LONGEST_LINE, AdairError
    from adair.restore import RestoreOptions, Restorer, restore_file
    from adair.weights import load_foundation, save_foundation

    torch.manual_seed(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="adair-hostile-") as name:
        folder = Path(name)
        save_foundation(folder / "f.safetensors", "nafnet", CONFIG, build_backbone("nafnet", CONFIG).state_dict())
        restorer = Restorer(load_foundation(folder / "f.safetensors"), device="cpu", precision="fp32")
        (folder / "f.safetensors").unlink()
        limit = int(gigabytes * 1e9)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        print("ready", flush=True)
        for line in sys.stdin:
            source = Path(json.loads(line))
            target = folder / f"result{TARGETS.get(source.suffix.lower(), '.png')}"
            try:
                result = restore_file(source, target, options=RestoreOptions("foundation"), restorer=restorer)
                verdict, text = judge(target, result.megapixels), "; ".join(result.notes)
            except AdairError as error:
                text = str(error)
                fine = "\n" not in text and str(source)[-100:] in text and len(text) <= LONGEST_LINE
                verdict = "refused" if fine or len(str(source)) > 300 else "bad message"
            except MemoryError:
                verdict, text = "memory", "MemoryError"
            except BaseException as error:
                verdict, text = "exception", f"{type(error).__name__}: {error}"
            left = [path for path in folder.iterdir() if path != target or verdict != "restored"]
            verdict = "left behind" if left and verdict in GOOD else verdict
            for path in folder.iterdir():
                path.unlink()
            print(json.dumps([verdict, text]), flush=True)


def judge(target: Path, megapixels: float) -> str:
    """Whether a result is a whole picture, or several, of the size that was reported."""
    import pyvips
    from PIL import Image, UnidentifiedImageError

    pixels = 0
    try:
        try:
            with Image.open(target) as picture:
                for number in range(getattr(picture, "n_frames", 1)):
                    picture.seek(number)
                    picture.load()
                    pixels += picture.width * picture.height
        except (UnidentifiedImageError, ValueError):  # floats, or a Lab of 16 bits
            pages = pyvips.Image.new_from_file(str(target)).get("n-pages")
            for number in range(pages):
                page = pyvips.Image.new_from_file(str(target), page=number, fail_on="error")
                page.avg()
                pixels += page.width * page.height
        merged = target.suffix == ".png" and 0 < pixels < megapixels * 1e6  # equal frames of an animation become one
        return "restored" if merged or abs(pixels / 1e6 - megapixels) < 1e-9 else "wrong size"
    except Exception as error:
        return f"unreadable result ({type(error).__name__})"


class Child:
    """A process that takes files until one of them ends it."""

    def __init__(self, gigabytes: float, seconds: float) -> None:
        self._words = [sys.executable, __file__, "--child", "--gigabytes", str(gigabytes)]
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, path: Path) -> tuple[str, str]:
        """Return the verdict on a file and what was said."""
        process = self._started()
        assert process.stdin is not None
        process.stdin.write(json.dumps(str(path)).encode() + b"\n")
        process.stdin.flush()
        line = self._line(process, self._seconds)
        if line is None:
            process.kill()
        if not line:
            code = process.wait()
            self._process = None
            return ("hang", f"over {self._seconds:g} s") if line is None else ("crash", f"exit code {code}")
        verdict, text = json.loads(line)
        return verdict, text

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert self._line(self._process, 600) == b"ready\n", "the child does not start"
        return self._process

    @staticmethod
    def _line(process: subprocess.Popen[bytes], seconds: float) -> bytes | None:
        """A line; nothing if the process ended; None if it took too long."""
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        return process.stdout.readline() if ready else None


def originals() -> list[tuple[str, bytes]]:
    """Small pictures in all formats, depths and modes, with the extension of each."""
    import numpy as np
    from PIL import Image

    made = []
    colour = np.random.default_rng(0).integers(0, 255, (23, 31, 4), dtype=np.uint8)
    deep = Image.fromarray(colour[..., 0].astype(np.uint16) * 257)
    modes = {mode: Image.fromarray(colour).convert(mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK")}
    for suffix, format, accepted, options in (
        (".png", "PNG", ("RGB", "RGBA", "L", "LA", "P", "1"), {}),
        (".jpg", "JPEG", ("RGB", "L", "CMYK"), {}),
        (".jpg", "JPEG", ("RGB",), {"progressive": True, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
        (".webp", "WEBP", ("RGB", "RGBA"), {}),
        (".webp", "WEBP", ("RGB",), {"lossless": True}),
        (".tif", "TIFF", ("RGB", "RGBA", "L", "P", "1", "CMYK"), {}),
        (".tif", "TIFF", ("RGB",), {"compression": "tiff_lzw"}),
        (".bmp", "BMP", ("RGB", "L", "P", "1"), {}),
        (".avif", "AVIF", ("RGB", "RGBA"), {}),
    ):
        for mode in accepted:
            buffer = io.BytesIO()
            modes[mode].save(buffer, format, **options)
            made.append((suffix, buffer.getvalue()))
    for suffix, format in ((".png", "PNG"), (".tif", "TIFF")):
        buffer = io.BytesIO()
        deep.save(buffer, format)
        made.append((suffix, buffer.getvalue()))
    frames = [modes["RGB"], modes["RGB"].transpose(Image.Transpose.ROTATE_180)]
    for suffix, format in ((".png", "PNG"), (".avif", "AVIF"), (".webp", "WEBP"), (".gif", "GIF"), (".tif", "TIFF")):
        buffer = io.BytesIO()
        frames[0].save(buffer, format, save_all=True, append_images=frames[1:], duration=50)
        made.append((suffix, buffer.getvalue()))
    return [*made, *measured(colour)]


def measured(colour: Any) -> list[tuple[str, bytes]]:
    """Inks, Lab and floats, and a photo with all metadata."""
    import numpy as np
    import pyvips
    from PIL import Image

    rgb = pyvips.Image.new_from_array(colour[..., :3]).copy(interpretation="srgb")
    light = (colour[..., :3] / np.float32(255)).astype(np.float32) * 1.5
    floats = pyvips.Image.new_from_array(light).copy(interpretation="scrgb")
    inks, lab = rgb.icc_export(output_profile="cmyk", depth=8), rgb.colourspace("labs")
    made = [(".tif", image.tiffsave_buffer(compression="deflate")) for image in (inks, lab, floats)]
    buffer, iptc = io.BytesIO(), b"8BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x05\0\x05Title"
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x927C] = bytes(range(200))
    Image.fromarray(colour[..., :3]).save(buffer, "JPEG", exif=exif, comment="a comment", xmp=b"<x:xmpmeta/>")
    head, marked = buffer.getvalue(), b"Photoshop 3.0\0" + iptc
    segment = b"\xff\xed" + (len(marked) + 2).to_bytes(2, "big") + marked
    return [*made, (".jpg", head[:2] + segment + head[2:])]


def damaged(data: bytes, choose: random.Random) -> bytes:
    """One of the ways in which files are broken."""
    kind, at = choose.randrange(6), choose.randrange(len(data))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes([data[at] ^ 1 << choose.randrange(8)]) + data[at + 1 :]
    if kind == 2:
        return data[:at] + bytes(choose.randrange(1, 60)) + data[at + 30 :]
    if kind == 3:
        return data[:at] + data[at // 2 :]
    if kind == 4:  # in the header, where sizes are
        place = choose.randrange(min(len(data) - 4, 60))
        value = choose.choice((0, 1, 2**16 - 1, 2**31 - 1, 2**32 - 1, choose.randrange(2**32)))
        return data[:place] + value.to_bytes(4, choose.choice(("big", "little"))) + data[place + 4 :]
    return data[:at] + choose.randbytes(choose.randrange(1, 40)) + data[at:]


def make(folder: Path, count: int, seed: int) -> None:
    choose, sources = random.Random(seed), originals()
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        suffix, data = sources[number % len(sources)]
        data = data if number < len(sources) else damaged(data, choose)
        (folder / f"{number:05}{suffix}").write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--make", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--gigabytes", type=float, default=8)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        serve_files(given.gigabytes)
        return 0
    if given.make:
        make(given.make, given.count, given.seed)
        return 0
    counts: Counter[str] = Counter()
    defects: list[dict[str, Any]] = []
    child, start = Child(given.gigabytes, given.seconds), time.monotonic()
    for folder, _, names in sorted(os.walk(given.folder)):
        for name in sorted(names):
            verdict, text = child.run(Path(folder, name))
            counts[verdict] += 1
            if verdict not in GOOD:
                defects.append({"file": str(Path(folder, name)), "verdict": verdict, "text": text})
                print(f"{verdict}: {Path(folder, name)}: {text}", file=sys.stderr)
    child.close()
    facts = {"files": counts.total(), "counts": dict(counts), "seconds": round(time.monotonic() - start)}
    print(json.dumps(facts, indent=2))
    if given.json:
        given.json.write_text(json.dumps(facts | {"defects": defects}, indent=2))
    return int(bool(defects))


if __name__ == "__main__":
    sys.exit(main())
