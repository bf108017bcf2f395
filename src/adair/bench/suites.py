"""The suites: which images, how they are degraded, how results are scored. Protocol texts are derived from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adair.bench.case import Kind
from adair.bench.datasets import Found
from adair.bench.inputs import Degraded, Noise, Paired, Small, SmallExact, SmallPillow, Source
from adair.bench.protocols import Score
from adair.tasks import TASKS

RGB, Y, GRAY = Score("RGB"), Score("Y"), Score("gray")


@dataclass(frozen=True)
class Setting:
    """One degradation of one test set. A method restores its images once; each score then makes a row.

    Attributes:
        suite, dataset, name: such as "denoise", "CBSD68", "sigma 25".
        source: how the input is made.
        scores: how the result is scored; all on gray, or none.
        family: settings of one dataset and family share a table.
        kinds: which kinds of methods are measured.
        adapters: tasks whose adapters are measured, the one made for this setting first; empty for the suite's own.
        first: only so many of the set's images, since every adapter restores them; None for all.
    """

    suite: str
    dataset: str
    name: str
    source: Source
    scores: tuple[Score, ...]
    family: str = ""
    kinds: tuple[Kind, ...] = ("input", "ours", "baseline")
    adapters: tuple[str, ...] = ()
    first: int | None = None

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks whose adapters are measured, the one made for this setting first."""
        return self.adapters or (self.suite,)

    @property
    def gray(self) -> bool:
        """Whether images are read as one channel."""
        return self.scores[0].colour == "gray"

    def label(self, score: Score) -> str:
        """Return the setting's name in a row, with the colour space if there are several."""
        return self.name if len(self.scores) == 1 else f"{self.name}, {score.colour}"

    def protocol(self, score: Score, found: Found) -> str:
        """Return the whole protocol in words."""
        part = "" if self.first is None else f"; the first {self.first} images"
        return f"{score}; {self.source.text(found)}; result rounded to 8 bits{part}"


WHITE = ("gaussian-denoise", "denoise")  # made for white noise; made for photos, but also trained on white noise


def _denoise() -> list[Setting]:
    # Baselines need the noise level, which is unknown here.
    ours: tuple[Kind, ...] = ("input", "ours")
    in_jpeg = Degraded("noise(sigma=20) > jpeg(quality=90)")
    photos = [
        Setting("denoise", "PolyU_canon", "real noise", Paired("real", "mean"), (RGB,), "photos", ours),
        Setting("denoise", "Kodak24", "noise 20 in JPEG 90", in_jpeg, (RGB,), "photos", ours),
    ]
    white = [
        Setting("denoise", dataset, f"sigma {sigma}{suffix}", Noise(sigma, clipped), (RGB,), family, adapters=WHITE)
        for dataset in ("CBSD68", "Kodak24", "McMaster", "Urban100")
        for clipped, suffix, family in ((False, "", "noise not clipped"), (True, " clipped", "noise clipped"))
        for sigma in (15, 25, 50)
    ]
    return white + photos


def _sr() -> list[Setting]:
    today = [
        Setting("sr", dataset, f"x{scale}", Small(scale), (Score("Y", scale),))
        for dataset in ("Set5", "Set14", "BSD100", "Urban100")
        for scale in TASKS["sr"].scales
    ]
    # The bicubic figures that papers quote are of Y alone, downscaled without rounding.
    early = [
        Setting("sr", dataset, f"x{scale} of Y", SmallExact(scale), (Score("gray", scale),), "Y alone", ("input",))
        for dataset in ("Set5", "Set14")
        for scale in TASKS["sr"].scales
    ]
    return today + early


def _deblur() -> list[Setting]:
    return [
        Setting(
            "deblur",
            "Kodak24",
            f"sigma {sigma}",
            Degraded(f"blur(sigma={sigma}, kernel=25)", {"blur_sigma": sigma}),
            (RGB,),
        )
        for sigma in (1.2, 1.6, 2.0, 3.0)
    ]


def _derain() -> list[Setting]:
    return [
        Setting("derain", "Rain100L", "light rain", Paired(), (Y, RGB)),
        Setting("derain", "Rain100H", "heavy rain", Paired(), (Y, RGB)),
    ]


def _dejpeg() -> list[Setting]:
    return [
        Setting(
            "dejpeg",
            dataset,
            f"quality {quality}",
            Degraded(f"jpeg(quality={quality}, chroma=420)", {"quality": quality}),
            scores,
        )
        for dataset, scores in (("LIVE1", (RGB, Y)), ("classic5", (GRAY,)))
        for quality in (10, 20, 30, 40)
    ]


# Damage of photos outside the tasks: in the second half of the pre-training mix (`adair.tasks.PHOTOS`).
PHOTO = {
    "camera noise": "camera(shot=0.006, read=0.01, red=2.1, blue=1.7)",
    "out of focus": "defocus(radius=3)",
    "short motion blur": "motion(length=8, angle=30, bend=0)",
    "elongated blur": "blur(sigma=2.4, ratio=0.4, angle=30)",
    "shared twice": "jpeg(quality=60) > jpeg(quality=80, right=3, down=5)",
    "out of focus, grain and JPEG": "defocus(radius=1.5) > grain(sigma=8, size=1.5, colour=0.6, blotch=3, shadows=0.3) "
    "> jpeg(quality=75)",
}

# Operators, or combinations of operators, outside the pre-training mix and outside every task's recipe.
UNSEEN = {
    "photon noise": "poisson(peak=60, clip=true)",
    "salt and pepper": "impulse(amount=0.05)",
    "banding": "banding(levels=12)",
    "haze": "haze(thickness=0.6, airlight=0.9, unevenness=0.5)",
    "low light": "lowlight(exposure=0.4)",
    "scratches": "scratches(count=5, width=1.5, tilt=15, strength=0.8)",
    "photon noise in JPEG": "poisson(peak=60, clip=true) > jpeg(quality=50)",
    "scratches and noise": "scratches(count=5, width=1.5, tilt=15, strength=0.8) > noise(sigma=15)",
    "haze and photon noise": "haze(thickness=0.4, airlight=0.9, unevenness=0.5) > poisson(peak=120)",
}


def _kodak(suite: str, recipes: Mapping[str, str]) -> list[Setting]:
    return [Setting(suite, "Kodak24", name, Degraded(recipe), (RGB,), first=6) for name, recipe in recipes.items()]


def _unseen() -> list[Setting]:
    enlarged = [
        Setting("unseen", "Set14", f"x2 {kernel}", SmallPillow(2, kernel), (Score("Y", border=2),))
        for kernel in ("lanczos", "box")
    ]
    return _kodak("unseen", UNSEEN) + enlarged


_SETTINGS = {"denoise": _denoise, "sr": _sr, "deblur": _deblur, "derain": _derain, "dejpeg": _dejpeg}

# Suites for which no adapter was made: all adapters that fit are tried.
WITHOUT_ADAPTER: dict[str, list[Setting]] = {"photo": _kodak("photo", PHOTO), "unseen": _unseen()}

# Those of the tasks, in the order of the registry, and the others.
SUITES: dict[str, list[Setting]] = {
    suite: _SETTINGS[suite]() for suite in dict.fromkeys(task.suite for task in TASKS.values() if task.suite)
} | WITHOUT_ADAPTER

REMARKS: dict[str, str] = {
    "denoise": "Papers measure unclipped noise; in files, noise is clipped. The input is scored without rounding. "
    "On white noise, foundation + adapter is `gaussian-denoise`, on real noise and in files `denoise`. "
    "PolyU_canon has real noise: crops of photos, and means of many shots of the same scene, both as JPEG; the means "
    "contain a little noise themselves.",
    "sr": "Methods receive the small image. The bicubic figures that papers quote (Set5: 33.66, 30.39, 28.42) come "
    "from the scripts of SRCNN and VDSR, which downscale Y alone and never round it: see the rows of Y alone. From "
    "MATLAB's 8-bit colour files, which later methods use, bicubic is up to 0.02 dB better on Set5.",
    "deblur": "The field has no common protocol; this is ours.",
    "derain": "Papers measure Y or RGB; one restoration gives both.",
    "dejpeg": "19 images of LIVE1 are also in Kodak24. classic5 is gray, and so is its JPEG.",
    "photo": "Damage of photos outside the tasks; every adapter that fits is tried.",
    "unseen": "Degradations that no network here was trained on; every adapter that fits is tried. They show what to "
    "expect for other damage. Haze and low light change all pixels alike, which none of the adapters undoes.",
}
