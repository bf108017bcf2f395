"""``adair doctor``: the hardware, how adair will use it, and whether the installation is complete."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer


def doctor(
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, ...; default: the one that adair would choose.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Also measure the speed of precisions and runtimes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check machine and installation. Exit code 1: something that adair needs is broken.

    With --measure, the fastest runtime is remembered for 'adair restore --runtime auto'.
    """
    from adair import __version__
    from adair.cli.show import print_facts, print_json, size
    from adair.hardware import describe, tune_allocator

    tune_allocator()
    facts = {"adair": __version__, **describe(device), "weights": _weights(), "images": _images()}
    facts["problems"] = _problems(facts)
    if measure:
        facts["seconds_per_megapixel"] = _speed(device)
        facts["runtimes"] = _runtimes()
    if as_json:
        print_json(facts)
    else:
        facts["memory_available"] = size(facts["memory_available"])
        facts["gpus"] = [f"{gpu['name']} ({size(gpu['memory'])})" for gpu in facts["gpus"]] or "none"
        for name in ("precision", "layout"):
            facts[name] = f"{facts[name]}: {facts.pop(name + '_reason')}"
        facts["problems"] = facts["problems"] or "none"
        if measure:
            facts["runtimes"] = _in_words(facts["runtimes"])
        print_facts(facts)
    if facts["problems"] not in ("none", []):
        raise typer.Exit(1)


def _weights() -> dict[str, str]:
    """Open every bundled weight file as for restoring; return ``intact``, or what is wrong."""
    from adair.adapters import load_adapter
    from adair.errors import AdairError
    from adair.weights import bundled_adapters, load_foundation

    try:
        foundation = load_foundation()
    except AdairError as error:
        return {"foundation": str(error)}
    states = {"foundation": "intact"}
    for task, path in bundled_adapters().items():
        try:
            load_adapter(path, foundation)
            states[task] = "intact"
        except AdairError as error:
            states[task] = str(error)
    if len(states) == 1:
        states["adapters"] = "missing; reinstall adair"
    return states


def _images() -> dict[str, str]:
    """Write and read every image format once; return the bit depths that are preserved, or what is wrong.

    Formats that are only read are not tried, but their packages are imported.
    """
    import numpy as np

    from adair.errors import AdairError
    from adair.images import FORMATS, read_image, write_image
    from adair.images.optional import PACKAGES, formats_read, load_package

    samples = np.full((16, 16, 3), 7, np.uint8), np.full((16, 16, 3), 7, np.uint16)
    states = {}
    with tempfile.TemporaryDirectory() as folder:
        for extension, name in FORMATS.items():
            if name in states:
                continue
            path = Path(folder) / f"test{extension}"
            try:
                depths = []
                for sample in samples:
                    write_image(path, sample, overwrite=True)
                    depths.append(read_image(path).pixels.dtype.itemsize * 8)
                states[name] = f"reads and writes {' and '.join(f'{bits} bits' for bits in dict.fromkeys(depths))}"
            except (AdairError, OSError) as error:
                states[name] = str(error)
    for name in formats_read():
        if name in PACKAGES:
            try:
                load_package(name, Path(name), "a format of its own")
            except AdairError as error:
                states[name] = str(error)
                continue
        states.setdefault(name, "reads, does not write")
    return states


def _speed(device: str | None) -> dict[str, float | str]:
    """Measure seconds per megapixel with the bundled foundation, in every precision of the device."""
    import numpy as np

    from adair.errors import AdairError
    from adair.hardware.precision import NAMES
    from adair.restore import FOUNDATION, Restorer

    photo = np.random.default_rng(0).integers(0, 256, (384, 384, 3), np.uint8)
    speeds: dict[str, float | str] = {}
    for name in NAMES:
        try:
            restorer = Restorer.load(device=device, precision=name)
        except AdairError as error:
            speeds[name] = str(error)
            continue
        times = []
        for _ in range(3):  # the first one warms up
            start = time.perf_counter()
            restorer.restore(photo, FOUNDATION)
            times.append(time.perf_counter() - start)
        speeds[name] = round(min(times) * 1e6 / photo[..., 0].size, 3)
    return speeds


def _runtimes() -> dict[str, Any]:
    """Measure every runtime on the CPU, fastest first, or why it does not run; remembered for ``--runtime auto``."""
    from dataclasses import asdict

    from adair.restore import FOUNDATION, Restorer
    from adair.runtimes import RUNTIMES, create_runtime
    from adair.runtimes.measured import measure, remember

    restorer = Restorer.load(device="cpu", precision="fp32")
    found, reasons = measure(
        list(RUNTIMES), lambda name: create_runtime(name, "cpu"), lambda: restorer.networks(FOUNDATION)[0]
    )
    remember(found)
    return {one.runtime: asdict(one) for one in found} | reasons


def _in_words(runtimes: dict[str, Any]) -> dict[str, str]:
    """Return one line for each runtime, with its speed relative to PyTorch."""
    usual = runtimes["torch"]["seconds_per_megapixel"]
    lines = {}
    for name, one in runtimes.items():
        if isinstance(one, str):
            lines[name] = one
            continue
        speed = usual / one["seconds_per_megapixel"]
        lines[name] = (
            f"{one['seconds_per_megapixel']} s per megapixel in {one['precision']} ({speed:.2f} of torch's speed), "
            f"{one['max_difference']:.2g} of 255 from fp32" + ("" if one["same"] else ": not used, because it differs")
        )
    return lines


def _problems(facts: dict[str, Any]) -> list[str]:
    broken = [f"weights, {name}: {state}" for name, state in facts["weights"].items() if state != "intact"]
    return broken + [f"{name}: {state}" for name, state in facts["images"].items() if not state.startswith("reads")]
