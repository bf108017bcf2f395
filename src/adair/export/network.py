"""The network of a task for export, and its card."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from adair import __version__
from adair.export.options import ExportOptions
from adair.restore import RestoreOptions, Restorer
from adair.restore.deploy import bytes_per_pixel
from adair.restore.tasks import UPSCALING, check_scale, parse_task
from adair.runtimes.enlarge import Clamp, Enlarge
from adair.runtimes.onnx_model import fused
from adair.weights.cards import joint_licence

TILE_BYTES = 2**30  # for one tile of a graph, which may run on any machine


def build(restorer: Restorer, options: ExportOptions) -> nn.Sequential:
    """Return the networks of a task in sequence, with adapters merged and folded, and the steps between them.

    Input and output are RGB in 0..1, (1, 3, H, W); the output is ``scale`` times larger and not clamped.

    Raises:
        InputError: a task or a scale that the restorer would refuse; "auto", which has no fixed network.
    """
    steps = parse_task(options.task, restorer.tasks)
    scale = check_scale(options.scale, steps)
    parts: list[nn.Module] = []
    for blend, network in zip(steps, restorer.networks(options.task), strict=True):
        if parts:
            parts.append(Clamp())
        if UPSCALING in blend and scale > 1:
            parts.append(Enlarge(scale))
        parts.append(fused(network))
    return nn.Sequential(*parts).eval().requires_grad_(False)


def card(restorer: Restorer, options: ExportOptions) -> dict[str, Any]:
    """Return the card of the file, ready for JSON.

    The keys: format (1), adair (version), task, scale, size, weights, tile_pixels (how large tiles are where the size
    is free), backbone, foundation (fingerprint), adapters (name to strength and card), licence.
    """
    steps = parse_task(options.task, restorer.tasks)
    foundation, known = restorer.foundation, restorer.adapters
    members = [member for blend in steps for name in blend for member in known[name].parts or (name,)]
    cost = bytes_per_pixel(foundation.backbone, foundation.config, torch.float32)
    return {
        "format": 1,
        "adair": __version__,
        "task": restorer.check(RestoreOptions(options.task, options.scale)),
        "steps": [dict(blend) for blend in steps],
        "scale": check_scale(options.scale, steps),
        "size": options.size,
        "weights": "fp16" if options.half else "fp32",
        "tile_pixels": int(TILE_BYTES / cost),
        "backbone": foundation.backbone,
        "foundation": foundation.fingerprint,
        "adapters": {name: known[name].card for blend in steps for name in blend},
        "licence": joint_licence([foundation.card, *(known[name].card for name in members)]),
    }
