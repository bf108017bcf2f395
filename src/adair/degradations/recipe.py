"""Recipes: compositions of degradations with sampled parameters, written as text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from adair.degradations.nodes import Node, Turn, keeps_size, work_off
from adair.degradations.parser import Parser
from adair.degradations.registry import OPERATORS
from adair.errors import AdairError


@dataclass(frozen=True)
class Recipe:
    """A parsed recipe. Equal recipes compare equal; ``str`` gives text that parses to an equal recipe."""

    root: Node

    def apply(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Degrade a batch, with separate draws for every sample.

        Args:
            x: (N, C, H, W) float in 0..1, on any device.
            generator: on the CPU (best, for a GPU too: no decision then waits for the device) or on the device of
                ``x``. The same state, batch and device give the same result.

        Returns:
            A new tensor of the same shape, type and device. It leaves 0..1 only where an operator with ``clip=false``
            (noise, photon noise) came last.

        Raises:
            AdairError: the recipe changes the size of images.
        """
        if not keeps_size(self.root):
            raise AdairError(f"recipe '{self}' makes the image smaller; for training, use resize instead of downscale")
        return self.run(x, generator)

    def run(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """As ``apply``, for recipes that may change the size too (``downscale``); of these, one image at a time."""
        if x.ndim != 4 or not x.is_floating_point():
            raise ValueError(f"expected a float tensor (N, C, H, W), got {x.dtype} {tuple(x.shape)}")
        if not x.numel():
            return x.clone()
        decisions, pixels = _generators(generator, x.device)
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False), _full_precision():
            own = x.detach().to(torch.float32, copy=True, memory_format=torch.contiguous_format)
            queues: list[list[Turn]] = [[] for _ in range(len(x))]
            self.root.draw(queues, decisions)
            return work_off(own, queues, pixels).to(x.dtype)

    def __str__(self) -> str:
        return str(self.root)


@lru_cache(maxsize=256)
def parse_recipe(text: str) -> Recipe:
    """Read the text of a recipe.

    ``noise(sigma=0..50) > jpeg(quality=10..90)``: ``>`` is then, ``|`` one of (binds looser than ``>``), ``?0.5`` after
    an operator or a group applies it with that probability, ``shuffle(a, b, c)`` takes its members in random order,
    parentheses group. A parameter is a number, a range ``a..b`` (uniform), a choice ``{2, 3, 4}`` or a name. Everything
    random is drawn for each sample of a batch on its own.

    Raises:
        AdairError: one line that points at the character, and names the nearest operator or parameter.
    """
    return Recipe(Parser(text, OPERATORS).parse())


@contextmanager
def _full_precision() -> Iterator[None]:
    """Multiply matrices in true float32; shorter formats, which training may have enabled, are off by whole levels."""
    before = torch.get_float32_matmul_precision()
    if before == "highest":
        yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _generators(generator: torch.Generator, device: torch.device) -> tuple[torch.Generator, torch.Generator]:
    """Return the two generators of an application: for decisions on the CPU, and for pixels on ``device``."""
    if generator.device.type == device.type == "cpu":
        return generator, generator
    seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
    decisions = generator if generator.device.type == "cpu" else torch.Generator().manual_seed(seed)
    pixels = generator if generator.device.type == device.type else torch.Generator(device).manual_seed(seed)
    return decisions, pixels
