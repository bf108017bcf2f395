"""Writes the golden files beside it: tiny random networks, an input, and the output of the code as it is.

Run it only after a change that is meant to change the numbers, with the published reference outputs still matching:
``python tests/backbones/make_golden.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from adair.backbones import build_backbone

SHAPES = {
    "nafnet": ("nafnet", {"width": 4, "encoder": [1, 1], "middle": 1, "decoder": [1, 1]}),
    "restormer": ("restormer", {"width": 2, "blocks": [1, 1, 1, 1], "refinement": 1, "heads": [1, 1, 2, 4]}),
    "restormer_biasfree": (
        "restormer",
        {"width": 2, "blocks": [1, 1, 1, 1], "refinement": 1, "heads": [1, 2, 2, 4], "norm_bias": False},
    ),
}


def main() -> None:
    for seed, (name, (backbone, config)) in enumerate(SHAPES.items()):
        generator = torch.Generator().manual_seed(seed)
        model = build_backbone(backbone, config)
        tensors = {}
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                parameter.normal_(std=0.3, generator=generator).add_(1.0 if "norm" in key or "temp" in key else 0.0)
                tensors[f"weights.{key}"] = parameter.to(torch.float16)
            model.load_state_dict({key[8:]: tensor.float() for key, tensor in tensors.items()})
            tensors["input"] = torch.rand(1, 3, 13, 18, generator=generator)
            tensors["output"] = model.double()(tensors["input"].double()).float()
        about = {"backbone": backbone, "config": json.dumps(config)}
        save_file(tensors, Path(__file__).parent / "golden" / f"{name}.safetensors", about)


if __name__ == "__main__":
    main()
