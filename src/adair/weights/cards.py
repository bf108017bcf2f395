"""The cards of weight files in a uniform shape. Files may come from strangers, so any field may be malformed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adair.weights.header import Header


def describe_weights(header: Header) -> dict[str, Any]:
    """Return the facts of a foundation, an adapter or a plain safetensors file, from its header alone."""
    facts: dict[str, Any] = {"file": str(header.path), "kind": header.kind or "plain safetensors"}
    metadata, card = header.metadata, _mapping(header.metadata.get("card"))
    if header.kind == "adapter":
        adapter = _mapping(metadata.get("adapter"))
        facts |= {
            "task": metadata.get("task"),
            "adapter": adapter.get("kind"),
            "options": adapter.get("options"),
            **_given(adapter, "unshuffle"),
            "foundation": metadata.get("foundation"),
        }
    elif header.kind == "foundation":
        facts |= {key: metadata.get(key) for key in ("backbone", "config")} | _given(metadata, "unshuffle")
        facts["fingerprint"] = metadata.get("fingerprint")
    facts |= {
        "parameters": header.parameters,
        "bytes": header.file_bytes,
        "stored_as": sorted({info.dtype for info in header.tensors.values()}),
        "tensors": len(header.tensors),
    }
    known = ("recipe", "licence", "training")
    facts |= {key: card[key] for key in known if key in card}
    facts["measured"] = measured(card)
    facts["card"] = {key: value for key, value in card.items() if key not in (*known, "measured", "validation")}
    return facts


def joint_licence(cards: Iterable[Mapping[str, Any]]) -> str:
    """Return the licences of all files that went into one, each once; one without counts as "not stated".

    >>> joint_licence([{"licence": "Apache-2.0"}, {}, {"licence": "Apache-2.0"}])
    'Apache-2.0 and not stated'
    """
    return " and ".join(dict.fromkeys(str(card.get("licence") or "not stated") for card in cards))


def measured(card: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the figures of a card: ``name``, ``protocol``, ``input``, ``restored``, and ``foundation`` if known.

    A card lists them under ``measured``, as ``tools/record_figures.py`` writes them; a file fresh from training has its
    validation instead.
    """
    listed = card.get("measured")
    if isinstance(listed, list):
        return [
            {
                "name": f"{row.get('dataset')} {row.get('setting')}",
                "protocol": row.get("protocol"),
                "input": row.get("input"),
                "foundation": row.get("foundation"),
                "restored": row.get("adapter"),
            }
            for row in map(_mapping, listed)
        ]
    validation = _mapping(card.get("validation"))
    inputs, restored = _mapping(validation.get("input")), _mapping(validation.get("restored"))
    return [
        {"name": name, "protocol": validation.get("protocol"), "input": inputs.get(name), "restored": value}
        for name, value in restored.items()
    ]


def figures_line(entry: dict[str, Any]) -> str:
    """Return a measured figure as text: ``noise 25: 20.30 to 31.02 dB``."""
    before, after = entry.get("input"), entry.get("restored")
    if not isinstance(before, (int, float)) or not isinstance(after, (int, float)):
        return f"{entry['name']}: {after}"
    foundation = entry.get("foundation")
    aside = f" (foundation alone {foundation:.2f})" if isinstance(foundation, (int, float)) else ""
    return f"{entry['name']}: {before:.2f} to {after:.2f} dB{aside}"


def _given(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {key: values[key]} if key in values else {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
