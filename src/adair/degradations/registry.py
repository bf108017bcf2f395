"""The operators of recipes with their parameters: default, lowest and highest allowed value."""

from __future__ import annotations

from adair.degradations.blur import blur
from adair.degradations.damage import holes, impulse, scratches
from adair.degradations.jpeg import jpeg
from adair.degradations.lens import defocus, motion
from adair.degradations.light import banding, haze, lowlight
from adair.degradations.noise import noise
from adair.degradations.operator import Operator
from adair.degradations.pipeline import grain, sharpen, smooth
from adair.degradations.rain import rain
from adair.degradations.resample import downscale, resize_down_up
from adair.degradations.sensor import camera, poisson
from adair.degradations.values import Choice, Name, Number, Parameter, Range
from adair.degradations.webp import webp

_YES_NO = {"false": 0.0, "true": 1.0}
_YES = Name("true", 1.0)
_CHROMA = {"420": 420.0, "444": 444.0}
_BLEND = {"add": 0.0, "screen": 1.0}

_ALL = (
    Operator("noise", noise, (Parameter("sigma", Range(0, 50), 0, 255), Parameter("clip", _YES, names=_YES_NO))),
    Operator("poisson", poisson, (Parameter("peak", Range(20, 400), 1, 1e6), Parameter("clip", _YES, names=_YES_NO))),
    Operator(
        "camera",
        camera,
        (
            Parameter("shot", Range(0.0001, 0.012), 0, 0.1),
            Parameter("read", Range(0, 0.015), 0, 0.1),
            Parameter("red", Range(1.9, 2.4), 1, 4),
            Parameter("blue", Range(1.5, 1.9), 1, 4),
            Parameter("mosaic", _YES, names=_YES_NO),
        ),
    ),
    Operator(
        "grain",
        grain,
        (
            Parameter("sigma", Range(0, 30), 0, 255),
            Parameter("size", Range(1, 3), 0, 16),
            Parameter("colour", Range(0, 1), 0, 4),
            Parameter("blotch", Range(1, 6), 0, 32),
            Parameter("shadows", Range(-0.3, 0.8), -1, 1),
        ),
    ),
    Operator(
        "smooth",
        smooth,
        (
            Parameter("radius", Range(1, 4), 1, 16, whole=True),
            Parameter("threshold", Range(0.01, 0.08), 0.001, 1),
            Parameter("strength", Range(0.3, 1), 0, 1),
        ),
    ),
    Operator(
        "sharpen", sharpen, (Parameter("amount", Range(0.2, 1.5), 0, 10), Parameter("radius", Range(0.5, 2), 0, 16))
    ),
    Operator(
        "blur",
        blur,
        (
            Parameter("sigma", Range(0.5, 3), 0, 20),
            Parameter("ratio", Number(1), 0.1, 1),
            Parameter("angle", Range(0, 180), -360, 360),
            Parameter("kernel", Number(25), 1, 161, whole=True),
        ),
    ),
    Operator(
        "motion",
        motion,
        (
            Parameter("length", Range(3, 20), 0, 64),
            Parameter("angle", Range(0, 180), -360, 360),
            Parameter("bend", Range(-0.5, 0.5), -1, 1),
        ),
    ),
    Operator("defocus", defocus, (Parameter("radius", Range(1, 6), 0, 32),)),
    Operator("resize", resize_down_up, (Parameter("scale", Range(2, 4), 1, 16),)),
    Operator("downscale", downscale, (Parameter("scale", Number(2), 1, 16),), keeps_size=False),
    Operator(
        "jpeg",
        jpeg,
        (
            Parameter("quality", Range(10, 90), 1, 100, whole=True),
            Parameter("chroma", Name("420", _CHROMA["420"]), names=_CHROMA),
            Parameter("right", Number(0), 0, 7, whole=True),
            Parameter("down", Number(0), 0, 7, whole=True),
            Parameter("size", Number(1), 0.25, 4),
        ),
    ),
    Operator("webp", webp, (Parameter("quality", Range(10, 90), 0, 100, whole=True),)),
    Operator(
        "rain",
        rain,
        (
            Parameter("amount", Range(0.02, 0.3), 0, 1),
            Parameter("angle", Range(-45, 45), -90, 90),
            Parameter("length", Range(12, 60), 1, 100),
            Parameter("width", Range(1, 4), 0.5, 10),
            Parameter("brightness", Range(0.2, 0.9), 0, 1),
            Parameter("haze", Range(0, 0.15), 0, 1),
            Parameter("blend", Choice(tuple(Name(*item) for item in _BLEND.items())), names=_BLEND),
        ),
    ),
    Operator(
        "haze",
        haze,
        (
            Parameter("thickness", Range(0.2, 2), 0, 5),
            Parameter("airlight", Range(0.7, 1), 0, 1),
            Parameter("unevenness", Range(0, 1), 0, 1),
        ),
    ),
    Operator("lowlight", lowlight, (Parameter("exposure", Range(0.03, 0.5), 0.001, 1),)),
    Operator("banding", banding, (Parameter("levels", Range(6, 32), 2, 256, whole=True),)),
    Operator("impulse", impulse, (Parameter("amount", Range(0.01, 0.2), 0, 1), Parameter("salt", Number(0.5), 0, 1))),
    Operator(
        "scratches",
        scratches,
        (
            Parameter("count", Range(1, 6), 0, 16, whole=True),
            Parameter("width", Range(0.5, 2), 0.5, 16),
            Parameter("tilt", Number(15), 0, 90),
            Parameter("strength", Range(0.4, 1), 0, 1),
        ),
    ),
    Operator(
        "holes", holes, (Parameter("count", Range(1, 6), 0, 16, whole=True), Parameter("radius", Range(2, 12), 1, 128))
    ),
)

OPERATORS: dict[str, Operator] = {operator.name: operator for operator in _ALL}
