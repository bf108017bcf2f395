"""The card of a weight file: what it was trained on, how long, and what it reached."""

from __future__ import annotations

from typing import Any

import torch

import adair
from adair.hardware import cpu_name
from adair.train.photos import PhotoStore
from adair.train.plan import Plan, Report


def training_card(plan: Plan, report: Report, photos: PhotoStore, device: torch.device) -> dict[str, Any]:
    """Return the facts of a training run as a JSON-able dictionary.

    Each measured number carries its protocol: here PSNR on the centres of held-out training photos.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{cpu_name()}, {torch.get_num_threads()} threads"
    return {
        "recipe": str(plan.recipe),
        "training": {
            "photos": len(photos),
            "steps": report.step,
            "batch": plan.batch,
            "patches": [list(pair) for pair in plan.patches],
            "texture": plan.texture,
            "shrink": plan.shrink,
            "optimiser": plan.optimiser,
            "learning_rate": plan.schedule.peak,
            "precision": str(plan.precision).removeprefix("torch."),
            "seed": plan.seed,
            "seconds": round(report.seconds),
            "device": name,
            "adair": adair.__version__,
            "torch": torch.__version__,
        },
        "validation": {
            "protocol": "RGB PSNR in dB, 8-bit output, centre crops of held-out photos, seed 0",
            "input": {name: round(value, 2) for name, value in report.input_psnr.items()},
            "restored": {name: round(value, 2) for name, value in report.psnr.items()},
        },
    }
