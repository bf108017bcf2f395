"""Put the page, ONNX Runtime Web and exported networks into one folder that any web server can serve as it is.

npm pack onnxruntime-web@1.30.0 && tar xzf onnxruntime-web-1.30.0.tgz
python examples/browser/build.py --runtime package --task denoise --task dejpeg -o site
python -m http.server --directory site --bind 127.0.0.1
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from adair import Restorer
from adair.export import ExportOptions, export

HERE = Path(__file__).parent
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
WEBGPU = ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm")


def build(restorer: Restorer, tasks: list[str], runtime: Path, output: Path, webgpu: bool = True) -> int:
    """Write the site and return its size in bytes."""
    (output / "ort").mkdir(parents=True)
    (output / "models").mkdir()
    for name in ("index.html", "style.css", "restore.js"):
        shutil.copyfile(HERE / name, output / name)
    for name in (*RUNTIME, *(WEBGPU if webgpu else ())):
        shutil.copyfile(runtime / "dist" / name, output / "ort" / name)
    for task in tasks:
        export(restorer, ExportOptions(task, half=True), "onnx", output / "models" / f"{task}.onnx")
    (output / "models" / "index.json").write_text(json.dumps(tasks))
    return sum(path.stat().st_size for path in output.rglob("*") if path.is_file())


def main() -> None:
    """Build from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", type=Path, required=True, help="the unpacked package onnxruntime-web")
    parser.add_argument("--task", action="append", help="repeat for more; default: denoise and dejpeg")
    parser.add_argument("--no-webgpu", action="store_true", help="leave out WebGPU, 27 MB")
    parser.add_argument("-o", "--output", type=Path, required=True, help="a new folder")
    words = parser.parse_args()
    tasks = words.task or ["denoise", "dejpeg"]
    size = build(Restorer.load(device="cpu", precision="fp32"), tasks, words.runtime, words.output, not words.no_webgpu)
    print(f"{words.output}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
