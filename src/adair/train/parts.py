"""Tensors in parts of a limited size: what fits stays whole, what does not is cut into flat pieces."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

ENTRY = 200  # bytes, generously, that a tensor takes in a file's header beside its name
Parts = list[dict[str, Tensor]]


def cut(tensors: Mapping[str, Tensor], limit: int | None) -> tuple[Parts, dict[str, list[int]]]:
    """Distribute tensors over parts of at most ``limit`` bytes each, headers included; None: one part.

    Returns:
        The parts, at least one; and the shape of every tensor that was cut. Its pieces are called ``name#0``, ...
    """
    if limit is None:
        return [dict(tensors)], {}
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    limit -= 2 * ENTRY * (total // limit + 1)  # the last part also lists the others, and the shapes
    parts: Parts = [{}]
    room, shapes = limit, {}
    for name, tensor in tensors.items():
        flat, size = tensor.reshape(-1), tensor.element_size()
        if flat.numel() * size <= limit - ENTRY - len(name):
            pieces = {name: tensor}
        else:
            shapes[name] = list(tensor.shape)
            pieces = {
                f"{name}#{number}": piece
                for number, piece in enumerate(flat.split((limit - 2 * ENTRY - len(name)) // size))
            }
        for label, piece in pieces.items():
            taken = piece.numel() * size + ENTRY + len(label)
            if taken > room:
                parts.append({})
                room = limit
            parts[-1][label] = piece.clone() if label != name else piece  # a file holds no views of shared memory
            room -= taken
    return parts, shapes


def join(stored: Mapping[str, Tensor], shapes: Mapping[str, list[int]]) -> dict[str, Tensor]:
    """Undo `cut`: ``stored`` holds the tensors of all parts.

    Raises:
        KeyError: a piece is missing.
        RuntimeError: pieces do not make up the shape.
    """
    pieces: dict[str, dict[int, Tensor]] = {name: {} for name in shapes}
    whole = {}
    for label, tensor in stored.items():
        name, _, number = label.rpartition("#")
        if name in pieces:
            pieces[name][int(number)] = tensor
        else:
            whole[label] = tensor
    for name, shape in shapes.items():
        whole[name] = torch.cat([pieces[name][number] for number in range(len(pieces[name]))]).view(shape)
    return whole
