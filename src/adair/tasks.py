"""The registry of tasks: names, and what training, restoring, inspection and benchmarks need to know about each.

The adapters of bundled tasks ship with the package, those of the zoo are in the folder `zoo` of the source code. To add
a task, add an entry here; other modules read this registry and have no lists of tasks of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

from adair.errors import InputError

STRONGEST = 1.0  # as trained; above it, results soon become useless: docs/blending.md
SUM_LIMIT = 1.0  # of the strengths in a blend: above it, results are worse than with the same adapters in sequence

FOUNDATION = "foundation"  # in place of a task: the frozen network alone

NOISE = "noise(sigma=0..50, clip={true,false})"
BLUR = "blur(sigma=0.3..3.5)"
RESIZE = "resize(scale={2,3,4})"
JPEG = "jpeg(quality=10..90)"
# Light rain without a veil in addition to the operator's own range, which reaches to downpours.
LIGHT_RAIN = "rain(amount=0.01..0.15, brightness=0.1..0.6, haze=0)"
RAIN = f"({LIGHT_RAIN} | rain())"

# Damage in photos of cameras and phones: the sensor's noise, the device's own denoising, a file format.
SENSOR = "(camera(shot=0.0001..0.012, read=0..0.012) | noise(sigma=2..30) | grain(sigma=2..25))"
SAVED = "(jpeg(quality=70..98, chroma={420, 444}) | jpeg(quality=70..98, size=1..2) | webp(quality=70..95))"
PHOTO_NOISE = f"({SENSOR} > smooth(strength=0.2..0.8)?0.15 > {SAVED}?0.7)"
TRACE = "(noise(sigma=0.5..4) | camera(shot=0.0001..0.001, read=0..0.002))"
LIGHT = f"{TRACE}?0.7 > jpeg(quality=75..98, chroma={{420, 444}})?0.5"

# Further damage of photos: optics, several file formats one after the other.
OPTICS = "(blur(sigma=0.3..2.5, ratio=0.4..1) | defocus(radius=0.7..3.5) | motion(length=3..9) | resize(scale=1.2..3))"
ANY_FILE = "(jpeg(quality=20..95, chroma={420, 444}, size={1, 1..1.6}) | webp(quality=20..90))"
SMALL_SPREAD = "(blur(sigma=0.6..3, ratio=0.4..1) | defocus(radius=1..3.5) | motion(length=3..9))"
TEXTURE = "(noise(sigma=1..6) | camera(shot=0.0001..0.002, read=0..0.003) | sharpen(amount=0.2..0.8))"
SAVED_AGAIN = "jpeg(quality=30..95, right=0..7, down=0..7)"

# Our choice (the paper publishes none). Half of the samples have laboratory damage: of these, eight of eleven one
# degradation, three several in random order as in BSRGAN (arXiv 2103.14006) and PROD (arXiv 2408.01099). The other half
# has the damage of real photos.
LABORATORY = (
    f"{NOISE} | {BLUR} | {RESIZE} | {JPEG} | {RAIN} | {NOISE} | {RESIZE} | {RAIN} | "
    f"shuffle({NOISE}, {RESIZE}?0.5, {JPEG}?0.5) | shuffle({BLUR}, {NOISE}?0.5, {JPEG}?0.5) | "
    f"shuffle({RAIN}, {NOISE}?0.5, {JPEG}?0.5, {BLUR}?0.3)"
)
PHOTOS = f"shuffle({OPTICS}?0.5, ({SENSOR} > smooth()?0.2 > sharpen()?0.2)?0.8, {ANY_FILE}?0.7) > {SAVED_AGAIN}?0.25"
MIX = f"({LABORATORY}) | ({PHOTOS})"
MIX_VALIDATION = {
    "noise 25": "noise(sigma=25, clip=false)",
    "x2": "resize(scale=2)",
    "blur 2": "blur(sigma=2)",
    "rain": "rain()",
    "quality 20": "jpeg(quality=20)",
    "noise in JPEG": "noise(sigma=20) > jpeg(quality=90)",
    "photo": "defocus(radius=1) > grain(sigma=8, size=1.5, colour=0.6, blotch=3, shadows=0.3) > jpeg(quality=80)",
}

# Optics come before the sensor: a trace of noise keeps an adapter from sharpening detail that no photo has.
GRAIN = "noise(sigma=0..3)?0.5"


@dataclass(frozen=True)
class Damage:
    """A kind of damage that inspection recognises.

    The estimator predicts its severity, from 0 (none) to 1 (as bad as in training). A level is the same in ordinary
    units; it grows linearly with the severity, from ``none`` to ``worst``.

    Attributes:
        name: the operator in a recipe.
        measure: what the level is, with its unit.
        none, worst: levels of severity 0 and 1.
        worth: the level from which the damage counts as present; clean photos contain weaker damage, too.
        formed: its place in the formation of a photo, from 0: the order of the estimator's outputs.
        undone: its place among the tasks that undo several kinds of damage, from 0.
        description: words for a user; ``{level}`` stands for the level.
        remedy: what its task does about it, in words for a user.
        digits: significant decimals of the level.
        resembles: a name for a group of damage that looks alike: of each group, only the most probable is undone.
    """

    name: str
    measure: str
    none: float
    worst: float
    worth: float
    formed: int
    undone: int
    description: str
    remedy: str
    digits: int = 1
    resembles: str = ""

    def severity(self, level: float) -> float:
        """Return the severity of a level; above 1 if the level is worse than any in training."""
        return (level - self.none) / (self.worst - self.none)

    def level(self, severity: float) -> float:
        """Return the level of a severity."""
        return self.none + severity * (self.worst - self.none)


@dataclass(frozen=True)
class Task:
    """A task that AdaIR knows.

    Attributes:
        name: its name for users, in files and in code.
        summary: what it does to a photo, in words for a user.
        recipe: the degradation that its adapter learns to undo.
        validation: recipes that are measured during training, by name.
        aliases: other names by which users may ask for it.
        scales: factors by which the task can enlarge; empty if it cannot.
        damage: the damage that inspection recognises and for which ``--task auto`` uses this task.
        suite: the suite of `adair.bench.suites` that measures its adapter.
    """

    name: str
    summary: str
    recipe: str
    validation: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    scales: tuple[int, ...] = ()
    damage: Damage | None = None
    suite: str = ""


# Photos are formed in this order: rain in front of the lens, optics, enlargement, the sensor, the file. Damage is
# undone in the reverse order, except that noise is removed before the JPEG that contains it (docs/inspect.md).
_BUNDLED_TASKS = (
    Task(
        "denoise",
        "removes noise as it is in photos: coarse, coloured, smoothed by the camera, inside a JPEG, or white",
        f"noise(sigma=0..55, clip={{true,false}}) | {PHOTO_NOISE}",
        {
            "noise 25": "noise(sigma=25, clip=false)",
            "noise 20 in JPEG 90": "noise(sigma=20) > jpeg(quality=90)",
            "grain in WebP 85": "grain(sigma=12, size=1.5, colour=0.6, blotch=3, shadows=0.3) > webp(quality=85)",
        },
        aliases=("denoising", "noise", "photo-denoise", "real-denoise"),
        damage=Damage(
            "noise",
            "sigma, of 255",
            none=0,
            worst=55,
            worth=3,
            formed=3,
            undone=0,
            description="noise",
            remedy="remove the noise",
        ),
        suite="denoise",
    ),
    Task(
        "gaussian-denoise",
        "removes white Gaussian noise of unknown strength, as papers add it to clean photos",
        "noise(sigma=0..55, clip={true,false})",
        {f"noise {s}": f"noise(sigma={s}, clip=false)" for s in (15, 25, 50)},
        aliases=("white-noise", "awgn"),
        suite="denoise",
    ),
    Task(
        "sr",
        "enlarges 2, 3 or 4 times",
        "resize(scale={2,3}) | resize(scale={2,4})",  # half of the samples x2, where the least is lost
        {f"x{s}": f"resize(scale={s})" for s in (2, 3, 4)},
        aliases=("upscale", "super-resolution", "superresolution", "enlarge"),
        scales=(2, 3, 4),
        damage=Damage(
            "resize",
            "factor by which the image was once smaller",
            none=1,
            worst=4,
            worth=1.4,
            formed=2,
            undone=3,
            description="enlargement: it was once about {level} times smaller",
            remedy="bring back detail, at the same size",
            resembles="softness",
        ),
        suite="sr",
    ),
    Task(
        "deblur",
        "sharpens Gaussian blur",
        # A third of the samples blurred by a lens or a hand and then noisy and compressed, as photos are.
        f"blur(sigma=0.6..3.2) | blur(sigma=0.6..3.2) | ({SMALL_SPREAD} > {LIGHT})",
        {f"blur {s}": f"blur(sigma={s})" for s in (1.2, 2.0, 3.0)}
        | {"defocus in JPEG 90": "defocus(radius=2) > noise(sigma=2) > jpeg(quality=90)"},
        aliases=("deblurring", "sharpen", "blur"),
        damage=Damage(
            "blur",
            "sigma of the Gaussian, pixels",
            none=0,
            worst=3.5,
            worth=0.7,
            formed=1,
            undone=2,
            description="blur",
            remedy="sharpen",
            resembles="softness",
        ),
        suite="deblur",
    ),
    Task(
        "derain",
        "removes rain streaks",
        # No veil: whether there is one is a guess, and a wrong one costs more than the streaks. `dehaze` removes it.
        f"({LIGHT_RAIN} | rain(haze=0))",
        {"light rain": LIGHT_RAIN, "heavy rain": "rain(haze=0)"},
        aliases=("deraining", "rain"),
        damage=Damage(
            "rain",
            "mean change by streaks, of 255",
            none=0,
            worst=40,
            worth=1.5,
            formed=0,
            undone=4,
            description="rain streaks",
            remedy="remove the rain",
        ),
        suite="derain",
    ),
    Task(
        "dejpeg",
        "repairs JPEG compression",
        # A third of the samples with the noise or the sharpening of a camera, in files that were saved more than once.
        f"jpeg(quality=8..92) | jpeg(quality=8..45) | ({TEXTURE}?0.6 > {ANY_FILE} > {SAVED_AGAIN}?0.4)",
        {f"quality {q}": f"jpeg(quality={q})" for q in (10, 20, 40)}
        | {"noise in JPEG 50, twice": "noise(sigma=4) > jpeg(quality=50) > jpeg(quality=75, right=3, down=5)"},
        aliases=("jpeg", "deblock", "jpeg-artifacts"),
        damage=Damage(
            "jpeg",
            "quality",
            none=100,
            worst=8,
            worth=86,
            formed=4,
            undone=1,
            description="JPEG compression, of a quality of about {level}",
            remedy="repair the compression",
            digits=0,
        ),
        suite="dejpeg",
    ),
)

_ZOO_TASKS = (
    Task(
        "motion-deblur",
        "undoes the shake of a camera, the same all over the photo",
        f"motion(length=3..20) > {GRAIN}",
        {f"motion {n} pixels": f"motion(length={n}) > noise(sigma=1)" for n in (8, 16)},
        aliases=("motion", "camera-shake"),
    ),
    Task(
        "defocus-deblur",
        "sharpens what the lens left out of focus, the same all over the photo",
        f"defocus(radius=1..5) > {GRAIN}",
        {f"defocus {r} pixels": f"defocus(radius={r}) > noise(sigma=1)" for r in (2, 4)},
        aliases=("defocus",),
    ),
    Task(
        "dehaze",
        "takes away haze and fog",
        "haze()",
        {f"haze {t}": f"haze(thickness={t}, airlight=0.9, unevenness=0.5)" for t in (0.5, 1.2)},
        aliases=("dehazing", "haze", "defog"),
    ),
    Task(
        "brighten",
        "brightens photos that had too little light, and their noise",
        "lowlight(exposure=0.05..0.4) > camera(shot=0.0001..0.003, read=0..0.004)",
        {f"light {e}": f"lowlight(exposure={e}) > camera(shot=0.001, read=0.002)" for e in (0.1, 0.3)},
        aliases=("lowlight", "low-light"),
    ),
    Task(
        "camera-denoise",
        "removes the noise of a camera, blotchy as its software leaves it",
        "camera()",
        {
            "little noise": "camera(shot=0.002, read=0.003, red=2.1, blue=1.7)",
            "much noise": "camera(shot=0.01, read=0.012, red=2.1, blue=1.7)",
        },
    ),
    Task(
        "impulse-denoise",
        "fills in salt and pepper",
        "impulse(amount=0.01..0.3, salt=0..1)",
        {f"{a:.0%} lost": f"impulse(amount={a})" for a in (0.05, 0.2)},
        aliases=("salt-and-pepper",),
    ),
    Task(
        "descratch",
        "mends scratches and holes of old photos",
        # Most of a photo has no hole: with one in every patch, lamps and the moon were taken for holes.
        "scratches(count=1..3)?0.6 > holes(count=1..2)?0.25",
        {
            "scratches": "scratches(count=4)",
            "scratches and holes": "scratches(count=3) > holes(count=3, radius=8)",
        },
        aliases=("scratches",),
    ),
    Task(
        "deband",
        "smooths the steps of too few levels",
        "banding(levels=6..32)",
        {f"{n} levels": f"banding(levels={n})" for n in (8, 16)},
        aliases=("debanding", "banding"),
    ),
)

BUNDLED: dict[str, Task] = {task.name: task for task in _BUNDLED_TASKS}
ZOO: dict[str, Task] = {task.name: task for task in _ZOO_TASKS}
TASKS: dict[str, Task] = BUNDLED | ZOO

UNDOES: dict[Damage, str] = {task.damage: task.name for task in TASKS.values() if task.damage}
"""The task that undoes each kind of damage."""

DAMAGES: tuple[Damage, ...] = tuple(sorted(UNDOES, key=lambda damage: damage.formed))
"""What the estimator recognises, in the order of its outputs."""

_CANONICAL = {alias: task.name for task in TASKS.values() for alias in task.aliases}


def canonical_name(name: str) -> str:
    """Return the name of the task that ``name`` is an alias of, ignoring case; other names are returned unchanged.

    >>> canonical_name("super-resolution"), canonical_name("scanner")
    ('sr', 'scanner')
    """
    return _CANONICAL.get(name.lower().replace("_", "-"), name)


def find_task(name: str) -> Task | None:
    """Return the task of a name or alias; None for a name that is not in the registry."""
    return TASKS.get(canonical_name(name))


def check_strength(name: str, strength: object) -> float:
    """Return the strength of one adapter in a blend: 0 is without it, 1 as trained.

    Raises:
        InputError: not a number from 0 to 1; a strength below 0 would add the damage that the adapter removes, and one
            above 1 goes beyond what was trained.
    """
    if not isinstance(strength, Real) or isinstance(strength, bool) or not math.isfinite(strength):
        raise InputError(f"'{name}': strength {strength!r} is not a finite number; 1 is as trained")
    value = float(strength)
    if value < 0:
        raise InputError(f"'{name}': strength {value:g} is negative and would add damage; give 0 to {STRONGEST:g}")
    if value > STRONGEST:
        raise InputError(f"'{name}': strength {value:g} is above {STRONGEST:g}, more than in training; 1 is as trained")
    return value
