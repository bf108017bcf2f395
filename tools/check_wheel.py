"""Build the wheel, install it in a fresh environment away from the checkout, and use it there.

Shows what an editable install hides: a dependency that is not declared, a file that is not packed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TASKS = {"denoise", "gaussian-denoise", "sr", "deblur", "derain", "dejpeg"}
LARGEST = {"foundation": 20_000_000, "adapter": 1_900_000}


CLEAN = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "ADAIR_ZOO")}


def run(*words: str | Path, folder: Path) -> str:
    """Run a command in ``folder``, away from the checkout's modules, and return what it prints."""
    return subprocess.run(
        [str(word) for word in words], cwd=folder, env=CLEAN, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def check_zoo(folder: Path, python: Path, adair: Path) -> None:
    """Without the zoo a task of it says how to get it; with the second wheel it is a task like the others."""
    words = (adair, "restore", folder / "noisy.png", "--task", "dehaze", "-o", folder / "clear.png")
    failed = subprocess.run([str(word) for word in words], cwd=folder, env=CLEAN, stderr=subprocess.PIPE, text=True)
    assert failed.returncode == 2 and "pip install packaging/adair-zoo" in failed.stderr, failed.stderr
    pip = ("-m", "pip", "--disable-pip-version-check")
    source = ROOT / "packaging" / "adair-zoo"
    run(sys.executable, *pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source, folder=folder)
    (wheel,) = folder.glob("adair_zoo-*.whl")
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB", flush=True)
    run(python, *pip, "install", "--quiet", "--no-index", wheel, folder=folder)
    named = json.loads(run(adair, "pull", "zoo/dehaze", "--offline", "--json", folder=folder))["adapters"][0]
    assert Path(named["file"]).is_relative_to(folder) and named["fits_bundled_foundation"], named
    run(*words, folder=folder)
    assert (folder / "clear.png").stat().st_size > 10_000, "the restored photo is suspiciously small"


def main() -> None:
    """Raise (and so exit with an error) at the first thing that does not hold."""
    pip = ("-m", "pip", "--disable-pip-version-check")
    with tempfile.TemporaryDirectory(prefix="adair-wheel-") as name:
        folder = Path(name)
        run(sys.executable, *pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, folder=folder)
        (wheel,) = folder.glob("adair-*.whl")
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB", flush=True)

        venv.create(folder / "env", with_pip=True)
        programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
        python = programs / "python"
        run(python, *pip, "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, folder=folder)
        home = Path(run(python, "-c", "import adair; print(adair.__file__)", folder=folder).strip())
        assert home.is_relative_to(folder), f"the checkout's own {home} was used instead of the wheel"
        assert (home.parent / "py.typed").is_file(), "py.typed is not packed"

        weights = list((home.parent / "weights" / "bundled").glob("*.safetensors"))
        assert {path.stem for path in weights} == TASKS | {"foundation", "estimator"}, (
            f"bundled: {sorted(p.name for p in weights)}"
        )
        for path in weights:
            limit = LARGEST.get(path.stem, LARGEST["adapter"])
            assert path.stat().st_size <= limit, f"{path.name}: {path.stat().st_size} bytes, more than {limit}"

        adair = programs / "adair"
        listed = {task["task"] for task in json.loads(run(adair, "tasks", "--json", folder=folder))["tasks"]}
        assert listed == TASKS, f"adair tasks lists {sorted(listed)}"
        photo = ROOT / "examples" / "photos" / "kitten.webp"
        run(adair, "degrade", photo, "--recipe", "noise(sigma=25)", "-o", folder / "noisy.png", folder=folder)
        run(adair, "restore", folder / "noisy.png", "--task", "denoise", "-o", folder / "clean.png", folder=folder)
        assert (folder / "clean.png").stat().st_size > 10_000, "the restored photo is suspiciously small"
        check_zoo(folder, python, adair)
    print("the wheel works on its own")


if __name__ == "__main__":
    main()
