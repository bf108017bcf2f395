"""Packages for darktable's "neural restore" (5.6 and later), and the files of a repository that serves them.

A package is a zip file with one folder, named like the model, that holds ``config.json`` (what darktable reads), the
graph, a model card for people, and the licence. darktable has two slots that fit: "denoise", where input and output are
equally large (so it holds deblurring and JPEG repair as well; one model of a slot is active at a time), and "upscale",
which wants ``model_x2.onnx`` or ``model_x4.onnx``. It hands over (1, 3, H, W), float32, sRGB in 0..1, in square tiles,
and binds the graph's free sizes by the names ``height`` and ``width``. Described in darktable's manual (special topics,
AI) and in the wiki of its model repository.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from adair.errors import AdairError, InputError
from adair.export.compare import Run
from adair.export.formats import onnx_model
from adair.export.options import ExportOptions

VERSION = "1.0"  # of the models, two numbers; darktable compares them to offer updates
OLDEST = "5.6.0"  # the first darktable that reads packages
FILES = {1: "model.onnx", 2: "model_x2.onnx", 4: "model_x4.onnx"}
PAPER = "https://arxiv.org/abs/2404.11475"
INDEXES = {"versions.json": "models", "releases-index.json": "compatible_releases"}  # with the key of each
DATE = (1980, 1, 1, 0, 0, 0)  # of every entry, so that equal models are equal files


def darktable_file(network: nn.Module, path: Path, options: ExportOptions, card: str) -> Run:
    """Write a ``.dtmodel`` package; it may be renamed, what counts is the folder in it.

    Raises:
        InputError: a scale that darktable has no slot for, or one fixed size.
    """
    from adair.runtimes.standalone import Model

    facts = json.loads(card)
    if facts["scale"] not in FILES:
        raise InputError(f"scale {facts['scale']}: darktable enlarges 2 or 4 times; choose one of them")
    if options.size is not None:
        raise InputError(f"size {options.size}: darktable chooses the size of tiles itself; leave it out")
    graph = onnx_model(network, options, card)
    config = configuration(facts)
    parts = {
        "config.json": json.dumps(config, indent=2).encode() + b"\n",
        FILES[facts["scale"]]: graph,
        "README.md": _readme(config, facts).encode(),
        "LICENSE": _licence().encode(),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in parts.items():
            package.writestr(zipfile.ZipInfo(f"{config['id']}/{name}", DATE), data, zipfile.ZIP_DEFLATED)
    return Model(graph)


def configuration(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``config.json`` says, from the card of an export."""
    slot = "denoise" if facts["scale"] == 1 else "upscale"
    what = re.sub(r"[^a-z0-9]+", "-", facts["task"].lower()).strip("-")
    model_id = f"{slot}-adair" if what in ("denoise", f"sr-x{facts['scale']}") else f"{slot}-adair-{what}"
    summary = f"AdaIR, {facts['task']}: one restoration network with an adapter of its own"
    data = [card.get("training", {}).get("data") for card in facts["adapters"].values()]
    return {
        "id": model_id,
        "name": model_id.replace("-", " "),
        "description": summary,
        "task": slot,
        "backend": "onnx",
        "arch": facts["backbone"],
        "version": VERSION,
        "tiling": True,
        "num_inputs": 1,
        "spatial_dims": ["height", "width"],
        "model_card": {
            "name": model_id,
            "long_description": summary,
            "scope": f"image restoration: {facts['task']}",
            "author": "the AdaIR developers",
            "source": "AdaIR " + facts["adair"],
            "paper": PAPER,
            "license": facts["licence"],
            "training_data": "; ".join(dict.fromkeys(filter(None, data))) or "not stated by its author",
            "training_data_license": "named with each set in AdaIR's training log",
            "notes": f"weights in {facts['weights']}, foundation {facts['foundation'][:12]}",
        },
    }


def check_repository(folder: Path) -> None:
    """Check that `write_repository` would replace nothing but what it wrote itself.

    Raises:
        AdairError: another program's file has one of the names.
    """
    for name, key in INDEXES.items():
        path = folder / name
        try:
            ours = not path.exists() or key in json.loads(path.read_bytes())
        except (OSError, ValueError, TypeError):
            ours = False
        if not ours:
            raise AdairError(f"{path}: exists and is not an index for darktable; choose another folder with -o")


def write_repository(folder: Path, tag: str) -> None:
    """Describe the packages in ``folder`` as darktable looks for them: ``versions.json`` and ``releases-index.json``.

    ``versions.json`` goes into the release ``tag`` together with the packages, ``releases-index.json`` into the root of
    the repository's default branch. In darktable the repository is the setting ``plugins/ai/repository``.
    """
    models = {}
    for path in sorted(folder.glob("*.dtmodel")):
        config = read_package(path)
        if path.stem == config["id"]:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            models[config["id"]] = {"version": config["version"], "sha256": f"sha256:{digest}"}
    index = {"schema": 1, "compatible_releases": {OLDEST: tag}}
    for name, content in zip(INDEXES, ({"models": models}, index), strict=True):
        aside = folder / f".{name}.part"
        aside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        aside.replace(folder / name)


def read_package(path: Path) -> dict[str, Any]:
    """Return the configuration in a package.

    Raises:
        InputError: no package of that kind.
    """
    try:
        with zipfile.ZipFile(path) as package:
            folder = package.namelist()[0].partition("/")[0]
            config: dict[str, Any] = json.loads(package.read(f"{folder}/config.json"))
            return config
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: is not a package for darktable ({error})") from error


def _readme(config: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    card = config["model_card"]
    rows = {
        "Model license": card["license"],
        "Training data": card["training_data"],
        "Training data license": card["training_data_license"],
        "Training code": f"AdaIR {facts['adair']}, Apache-2.0",
        "Published research": f"AdaIR ({PAPER}); NAFNet (https://arxiv.org/abs/2204.04676)",
        "Known limitations": "small network, trained on a few hundred photos with synthetic degradations",
        "Inference": "local only",
        "Scope": card["scope"],
        "Reproducibility": "adair export --to darktable writes this package from AdaIR's weight files",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    scale = facts["scale"]
    return (
        f"# {config['name']}\n\n{config['description']}.\n\n"
        "Input `input`: float32 [1, 3, H, W], sRGB in 0..1, any size. "
        f"Output `output`: float32 [1, 3, {scale} H, {scale} W].\n\n"
        f"| Property | Value |\n|---|---|\n{table}\n"
    )


def _licence() -> str:
    """The text of AdaIR's licence, from the checkout or from the installed package."""
    path = Path(__file__).resolve().parents[3] / "LICENSE"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    text = importlib.metadata.distribution("adair").read_text("licenses/LICENSE")
    return text or "Apache License 2.0, https://www.apache.org/licenses/LICENSE-2.0\n"
