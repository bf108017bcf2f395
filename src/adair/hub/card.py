"""The page of a published adapter, generated from its card; every figure with its protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from adair.errors import InputError
from adair.tasks import find_task
from adair.weights import Header
from adair.weights.cards import describe_weights

LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{1,63}")
PAPER = "https://arxiv.org/abs/2404.11475"
_FACTS = ("photos", "data", "steps", "batch", "seconds", "device", "adair", "torch")


def licence_of(header: Header, given: str | None) -> str:
    """Return the licence of an adapter: the given one, or that of its card.

    Raises:
        InputError: neither, or one that is not an identifier such as apache-2.0.
    """
    licence = given or header.metadata.get("card", {}).get("licence")
    if not licence:
        raise InputError(f"{header.path}: its card has no licence; give one, such as --licence apache-2.0")
    if not isinstance(licence, str) or not LICENCE.fullmatch(licence):
        raise InputError(
            f"{header.path}: licence {licence!r} is not an identifier; give one, such as --licence apache-2.0"
        )
    return licence


def write_card(header: Header, name: str, licence: str, sha256: str, picture: str | None) -> str:
    """Return the page as Markdown, with the front matter that hubs read.

    Args:
        header: of the adapter's file.
        name: its name for others, such as hf://user/name.
        licence: identifier of the licence.
        sha256: checksum of the file.
        picture: file name of a before/after image next to the page; None for none.
    """
    facts = describe_weights(header)
    task = str(facts["task"])
    known = find_task(task)
    summary = f"It {known.summary}." if known else "It undoes the damage that it was trained on (see below)."
    parts = [
        _front_matter(task, licence),
        f"# {task}: an adapter for AdaIR\n\n{summary} An adapter turns the frozen foundation network of AdaIR "
        f"([arXiv 2404.11475]({PAPER})) into a specialist; this one is {header.file_bytes / 1e6:.2f} MB.",
        f"![Before and after]({picture})" if picture else "",
        f"## Use\n\n```\npip install 'adair[hub]'\nadair restore photo.jpg --adapter {name} --task {task}\n```\n\n"
        f'```python\nimport adair\n\nrestorer = adair.Restorer.load()\nrestorer.add_adapter("{name}")\n'
        f'restorer.restore(image, task="{task}")\n```',
        f"## Figures\n\n{_figures(facts['measured'])}",
        f"## Training\n\n{_training(facts)}",
        "## Limits\n\nRestored detail is an estimate: do not use it as evidence, or to read a face or a number plate. "
        "Damage that resembles nothing in the training improves little.",
        "## File\n\n"
        + _rows(
            {
                "kind": facts["adapter"],
                "parameters": f"{facts['parameters']:,}",
                "bytes": f"{facts['bytes']:,}",
                "foundation (fingerprint)": facts["foundation"],
                "SHA-256": sha256,
                "licence": licence,
            }
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(task: str, licence: str) -> str:
    """YAML; JSON strings are strings of it, too."""
    tags = ", ".join(map(json.dumps, ("adair", "adapter", "image-restoration", task)))
    lines = [f"license: {json.dumps(licence.lower())}", "library_name: adair", "pipeline_tag: image-to-image"]
    return "\n".join(["---", *lines, f"tags: [{tags}]", "---"])


def _figures(measured: list[dict[str, Any]]) -> str:
    if not measured:
        return "None were recorded."
    lines = [
        "| Images | Input | Foundation alone | With this adapter | Protocol |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for row in measured:
        numbers = [_number(row.get(key)) for key in ("input", "foundation", "restored")]
        lines.append(f"| {_text(row['name'])} | {' | '.join(numbers)} | {_text(row.get('protocol') or 'not stated')} |")
    return "\n".join([*lines, "", "PSNR in dB; figures with different protocols cannot be compared."])


def _training(facts: Mapping[str, Any]) -> str:
    training = facts.get("training")
    rows = {"undoes": f"`{facts['recipe']}`"} if facts.get("recipe") else {}
    if isinstance(training, Mapping):
        rows |= {key: training[key] for key in _FACTS if training.get(key) not in (None, "")}
    return _rows(rows) if rows else "Nothing was recorded."


def _rows(rows: Mapping[str, Any]) -> str:
    return "\n".join(["| | |", "| --- | --- |", *(f"| {key} | {_text(value)} |" for key, value in rows.items())])


def _number(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, (int, float)) else "-"


def _text(value: object) -> str:
    """One cell: on one line, without what Markdown or HTML would take for its own."""
    text = " ".join(str(value).split())[:600]
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
