"""The recipes of the zoo: tasks beyond the paper's, whose adapters lie beside the package instead of in it."""

from __future__ import annotations

from adair.train.tasks import Task

# Optics come before the sensor: a trace of noise keeps an adapter from sharpening what no photo has.
GRAIN = "noise(sigma=0..3)?0.5"

ZOO: dict[str, Task] = {
    "motion-deblur": Task(
        "undoes the shake of a camera, the same all over the photo",
        f"motion(length=3..20) > {GRAIN}",
        {f"motion {n} pixels": f"motion(length={n}) > noise(sigma=1)" for n in (8, 16)},
    ),
    "defocus-deblur": Task(
        "sharpens what the lens left out of focus, the same all over the photo",
        f"defocus(radius=1..5) > {GRAIN}",
        {f"defocus {r} pixels": f"defocus(radius={r}) > noise(sigma=1)" for r in (2, 4)},
    ),
    "dehaze": Task(
        "takes away haze and fog",
        "haze()",
        {f"haze {t}": f"haze(thickness={t}, airlight=0.9, unevenness=0.5)" for t in (0.5, 1.2)},
    ),
    "brighten": Task(
        "brightens photos that had too little light, and their noise",
        "lowlight(exposure=0.05..0.4) > camera(shot=0.0001..0.003, read=0..0.004)",
        {f"light {e}": f"lowlight(exposure={e}) > camera(shot=0.001, read=0.002)" for e in (0.1, 0.3)},
    ),
    "camera-denoise": Task(
        "removes the noise of a camera, blotchy as its software leaves it",
        "camera()",
        {
            "little noise": "camera(shot=0.002, read=0.003, red=2.1, blue=1.7)",
            "much noise": "camera(shot=0.01, read=0.012, red=2.1, blue=1.7)",
        },
    ),
    "impulse-denoise": Task(
        "fills in salt and pepper",
        "impulse(amount=0.01..0.3, salt=0..1)",
        {f"{a:.0%} lost": f"impulse(amount={a})" for a in (0.05, 0.2)},
    ),
    "descratch": Task(
        "mends scratches and holes of old photos",
        # Most of a photo has no hole: with one in every patch, lamps and the moon were taken for holes.
        "scratches(count=1..3)?0.6 > holes(count=1..2)?0.25",
        {
            "scratches": "scratches(count=4)",
            "scratches and holes": "scratches(count=3) > holes(count=3, radius=8)",
        },
    ),
    "deband": Task(
        "smooths the steps of too few levels",
        "banding(levels=6..32)",
        {f"{n} levels": f"banding(levels={n})" for n in (8, 16)},
    ),
}
