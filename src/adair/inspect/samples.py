"""Training samples of the estimator: degraded patches with labels."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from adair.degradations import OPERATORS, parse_recipe
from adair.inspect.patterns import draw_patterns
from adair.metrics import quantise
from adair.tasks import DAMAGES

# Shares of the samples that get none, one, two or three kinds of damage.
SHARES = (0.25, 0.5, 0.17, 0.08)
MARGIN = 16  # pixels by which patches are degraded larger than they are seen: borders are no cue
ON_GRID = 0.6  # share of patches cut so that JPEG's blocks begin at their corner, as in files that nobody cropped
GRAY = 0.08  # share of gray samples
HARMLESS = 0.35  # share of samples that also have what clean photos have: grain, sharpening, mild JPEG
DRAWN = 0.15  # share of samples with lines, lattices or letters drawn on them: they are neither rain nor noise
OTHER = 0.1  # share of samples with damage of no known kind, which the estimator must distinguish
OTHERS = parse_recipe(
    "impulse(amount=0.005..0.1, salt=0..1) | banding(levels=6..32) | scratches(count=1..4) | haze() | "
    "lowlight(exposure=0.2..0.6)"
)
PHOTO_NOISES = parse_recipe(
    "camera(shot=0.0002..0.012, read=0.001..0.012) | grain(sigma=2..25) | poisson(peak=30..500, clip=true)"
)


def make_samples(clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Make labelled samples of clean patches.

    Args:
        clean: (N, 3, S + MARGIN, S + MARGIN) in 0..1.
        generator: on the CPU.

    Returns:
        Patches (N, 3, S, S), of which some are unclipped noise; presence (N, 5), 0 or 1, and severity (N, 5), in
        the order of `DAMAGES`.
    """
    count = len(clean)
    damaged = _which(count, generator)
    gray = torch.rand(count, generator=generator) < GRAY
    x = torch.where(gray.view(-1, 1, 1, 1), clean.mean(1, keepdim=True).expand_as(clean), clean)
    x, _ = _apply(x, torch.rand(count, generator=generator) < DRAWN, draw_patterns, generator)
    x, _ = _apply(x, torch.rand(count, generator=generator) < HARMLESS, _harmless, generator)
    x, _ = _apply(x, torch.rand(count, generator=generator) < OTHER, _other, generator)
    severity = torch.zeros(count, len(DAMAGES))
    for place, damage in enumerate(DAMAGES):
        x, level = _apply(x, damaged[:, place], MAKERS[damage.name], generator)
        severity[:, place] = torch.where(damaged[:, place], (level - damage.none) / (damage.worst - damage.none), 0.0)
    # A gray file holds one noisy plane, not the mean of three.
    x = torch.where(gray.view(-1, 1, 1, 1), x[:, :1].expand_as(x), x)
    present = severity >= torch.tensor([damage.severity(damage.worth) for damage in DAMAGES])
    return _cut(x, generator), present.float(), severity


Maker = Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]
"""Degrades a batch; returns it with the level of each sample."""


def _which(count: int, generator: torch.Generator) -> Tensor:
    """Choose the damage of each sample, (N, 5) of bool; never both of two that look alike."""
    many = torch.multinomial(torch.tensor(SHARES), count, replacement=True, generator=generator)
    order = torch.rand(count, len(DAMAGES), generator=generator).argsort(1).argsort(1)
    which = order < many.unsqueeze(1)
    for later, damage in enumerate(DAMAGES):
        for earlier in range(later):
            if damage.resembles and damage.resembles == DAMAGES[earlier].resembles:
                which[:, later] &= ~which[:, earlier]
    return which


def _apply(x: Tensor, where: Tensor, make: Maker, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Degrade the samples ``where``; return all of them, and the levels (N,), zero elsewhere."""
    level = torch.zeros(len(x))
    index = where.nonzero().squeeze(1)
    if len(index):
        worse, level[index] = make(x[index], generator)
        x = x.index_copy(0, index, worse)
    return x, level


def _uniform(x: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(len(x), generator=generator)


def _chance(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(len(x), generator=generator) < share).float()


def _rain(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    light = _chance(x, 0.6, generator) > 0
    settings = {
        "amount": torch.where(light, _uniform(x, 0.01, 0.15, generator), _uniform(x, 0.02, 0.3, generator)),
        "angle": _uniform(x, -45, 45, generator),
        "length": _uniform(x, 12, 60, generator),
        "width": _uniform(x, 1, 4, generator),
        "brightness": torch.where(light, _uniform(x, 0.1, 0.6, generator), _uniform(x, 0.2, 0.9, generator)),
        "haze": torch.where(light, 0.0, _uniform(x, 0, 0.15, generator)),
        "blend": _chance(x, 0.5, generator),
    }
    wet = OPERATORS["rain"].apply(x, generator, **settings)
    return wet, (wet - x).abs().mean((1, 2, 3)) * 255


def _either(x: Tensor, generator: torch.Generator, *ways: tuple[float, Maker]) -> tuple[Tensor, Tensor]:
    """Degrade each sample in one of several ways, each with its share; the shares add up to 1."""
    shares = torch.tensor([share for share, _ in ways])
    chosen = torch.multinomial(shares, len(x), replacement=True, generator=generator)
    levels = torch.zeros(len(x))
    for way, (_, make) in enumerate(ways):
        x, level = _apply(x, chosen == way, make, generator)
        levels += level
    return x, levels


def _blur(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mostly Gaussian; else a disc or a short line, whose level is the sigma of the Gaussian of the same variance."""
    return _either(x, generator, (0.7, _gaussian), (0.18, _disc), (0.12, _line))


def _gaussian(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    sigma = _uniform(x, 0.4, 3.4, generator)
    ones = torch.ones_like(sigma)
    return OPERATORS["blur"].apply(x, generator, sigma=sigma, ratio=ones, angle=0 * ones, kernel=25 * ones), sigma


def _disc(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    radius = _uniform(x, 1, 4, generator)
    return OPERATORS["defocus"].apply(x, generator, radius=radius), radius / 2


def _line(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    length = _uniform(x, 3, 10, generator)
    settings = {"angle": _uniform(x, 0, 180, generator), "bend": _uniform(x, 0, 0.3, generator)}
    return OPERATORS["motion"].apply(x, generator, length=length, **settings), length / math.sqrt(12)


def _resize(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    whole = torch.randint(2, 5, (len(x),), generator=generator).float()
    scale = torch.where(_chance(x, 0.7, generator) > 0, whole, _uniform(x, 1.2, 4, generator))
    large = OPERATORS["resize"].apply(x, generator, scale=scale)
    return torch.where(_chance(x, 0.7, generator).view(-1, 1, 1, 1) > 0, quantise(large), large), scale


def _noise(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return _either(x, generator, (0.5, _white_noise), (0.5, _photo_noise))


def _white_noise(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    # More weak noise than in a uniform draw, because the decision is difficult there.
    sigma = 55 * torch.rand(len(x), generator=generator) ** 1.5
    return OPERATORS["noise"].apply(x, generator, sigma=sigma, clip=_chance(x, 0.6, generator)), sigma


def _photo_noise(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Its level is the root mean square of the change."""
    noisy = PHOTO_NOISES.run(x, generator)
    return noisy, 255 * (noisy - x).square().mean((1, 2, 3)).sqrt()


def _jpeg(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mostly a plain JPEG; else a WebP file, or a JPEG that was scaled down afterwards and so looks better."""
    return _either(x, generator, (0.76, _plain_jpeg), (0.12, _webp), (0.12, _shrunk_jpeg))


def _plain_jpeg(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return _jpeg_at(x, torch.ones(len(x)), generator)


def _shrunk_jpeg(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    size = _uniform(x, 1.05, 1.6, generator)
    made, quality = _jpeg_at(x, size, generator)
    return made, quality + (100 - quality) * (1 - 1 / size)


def _jpeg_at(x: Tensor, size: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    quality = _quality(x, generator)
    chroma = torch.where(_chance(x, 0.8, generator) > 0, 420.0, 444.0)
    none = torch.zeros_like(quality)
    settings = {"quality": quality, "chroma": chroma, "right": none, "down": none, "size": size}
    return OPERATORS["jpeg"].apply(x, generator, **settings), quality


def _webp(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    quality = _quality(x, generator)
    return OPERATORS["webp"].apply(x, generator, quality=quality), quality


def _quality(x: Tensor, generator: torch.Generator) -> Tensor:
    return _uniform(x, 8, 97, generator).round()


def _other(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return OTHERS.run(x, generator), torch.zeros(len(x))


def _harmless(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Grain of film or sensor, a little sharpening, a JPEG of high quality: what good photos went through."""
    sharp = x + _uniform(x, 0, 0.8, generator).view(-1, 1, 1, 1) * (x - _soften(x))
    grain = _uniform(x, 0, 2, generator)
    x = OPERATORS["noise"].apply(sharp, generator, sigma=grain, clip=torch.ones_like(grain))
    quality = _uniform(x, 91, 100, generator).round()
    return OPERATORS["jpeg"].apply(x, generator, quality=quality, chroma=torch.full_like(quality, 420.0)), quality


def _soften(x: Tensor) -> Tensor:
    sigma = torch.ones(len(x))
    settings = {"sigma": sigma, "ratio": sigma, "angle": 0 * sigma, "kernel": 25 * sigma}
    return OPERATORS["blur"].apply(x, torch.Generator(), **settings)


MAKERS: dict[str, Maker] = {"rain": _rain, "blur": _blur, "resize": _resize, "noise": _noise, "jpeg": _jpeg}
"""How samples of each of `DAMAGES` are made."""


def _cut(x: Tensor, generator: torch.Generator) -> Tensor:
    """Cut every sample to its size without the margin, some at JPEG's grid and some anywhere."""
    side = x.shape[-1] - MARGIN
    anywhere = torch.randint(0, MARGIN + 1, (len(x), 2), generator=generator)
    grid = torch.rand(len(x), 1, generator=generator) < ON_GRID
    places = torch.where(grid, anywhere // 8 * 8, anywhere).tolist()
    return torch.stack(
        [one[:, top : top + side, left : left + side] for one, (top, left) in zip(x, places, strict=True)]
    )
