"""The recipes that the bundled weights were trained on: the pre-training mix, and one for each task."""

from __future__ import annotations

from dataclasses import dataclass

NOISE = "noise(sigma=0..50, clip={true,false})"
BLUR = "blur(sigma=0.3..3.5)"
RESIZE = "resize(scale={2,3,4})"
JPEG = "jpeg(quality=10..90)"
# Light rain without a veil beside the operator's own range, which reaches to downpours.
RAIN = "(rain(amount=0.01..0.15, brightness=0.1..0.6, haze=0) | rain())"

# Our choice (the paper publishes none): eight samples of eleven carry one degradation, three several in random order
# as in BSRGAN (arXiv 2103.14006) and PROD (arXiv 2408.01099).
MIX = (
    f"{NOISE} | {BLUR} | {RESIZE} | {JPEG} | {RAIN} | {NOISE} | {RESIZE} | {RAIN} | "
    f"shuffle({NOISE}, {RESIZE}?0.5, {JPEG}?0.5) | shuffle({BLUR}, {NOISE}?0.5, {JPEG}?0.5) | "
    f"shuffle({RAIN}, {NOISE}?0.5, {JPEG}?0.5, {BLUR}?0.3)"
)


@dataclass(frozen=True)
class Task:
    """A task that ships with AdaIR.

    Attributes:
        summary: what it does to a photo, for a person.
        recipe: the degradation that its adapter learns to undo.
        exam: recipes that validation measures during training, by name.
        scales: factors by which the task can enlarge; empty if it cannot.
    """

    summary: str
    recipe: str
    exam: dict[str, str]
    scales: tuple[int, ...] = ()


TASKS: dict[str, Task] = {
    "denoise": Task(
        "removes noise of unknown strength",
        "noise(sigma=0..55, clip={true,false})",
        {f"noise {s}": f"noise(sigma={s}, clip=false)" for s in (15, 25, 50)},
    ),
    "sr": Task(
        "enlarges 2, 3 or 4 times",
        "resize(scale={2,3}) | resize(scale={2,4})",  # half of the samples x2, where the least is lost
        {f"x{s}": f"resize(scale={s})" for s in (2, 3, 4)},
        scales=(2, 3, 4),
    ),
    "deblur": Task(
        "sharpens Gaussian blur",
        "blur(sigma=0.6..3.2)",
        {f"blur {s}": f"blur(sigma={s})" for s in (1.2, 2.0, 3.0)},
    ),
    "derain": Task(
        "removes rain streaks",
        RAIN,
        {"light rain": "rain(amount=0.01..0.15, brightness=0.1..0.6, haze=0)", "heavy rain": "rain()"},
    ),
    "dejpeg": Task(
        "repairs JPEG compression",
        "jpeg(quality=8..92) | jpeg(quality=8..45)",
        {f"quality {q}": f"jpeg(quality={q})" for q in (10, 20, 40)},
    ),
}

MIX_EXAM = {
    "noise 25": "noise(sigma=25, clip=false)",
    "x2": "resize(scale=2)",
    "blur 2": "blur(sigma=2)",
    "rain": "rain()",
    "quality 20": "jpeg(quality=20)",
}
