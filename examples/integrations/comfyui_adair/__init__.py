"""A node for ComfyUI: restore images with AdaIR."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch

from adair import Restorer


@lru_cache(1)
def _restorer() -> Restorer:
    return Restorer.load()


class AdairRestore:
    """IMAGE in (batch, height, width, channels; float 0..1), IMAGE out."""

    CATEGORY = "image/restoration"
    FUNCTION = "restore"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What the node shows."""
        tasks = ["auto", *_restorer().tasks]
        return {
            "required": {
                "image": ("IMAGE",),
                "task": (tasks, {"default": "auto"}),
                "strength": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.05}),
                "scale": ("INT", {"default": 2, "min": 2, "max": 4}),
            }
        }

    def restore(self, image: torch.Tensor, task: str, strength: float, scale: int) -> tuple[torch.Tensor]:
        """Restore every image of the batch; the scale counts for task sr alone."""
        factor = scale if task == "sr" else None
        result = _restorer().restore(image.movedim(-1, 1), task, factor, strength)
        return (result.movedim(1, -1).contiguous(),)


NODE_CLASS_MAPPINGS = {"AdairRestore": AdairRestore}
NODE_DISPLAY_NAME_MAPPINGS = {"AdairRestore": "Restore (AdaIR)"}
