"""Every operator that a recipe can name."""

from __future__ import annotations

from adair.degradations.blur import blur
from adair.degradations.jpeg import jpeg
from adair.degradations.noise import noise
from adair.degradations.operator import Operator
from adair.degradations.rain import rain
from adair.degradations.resample import resize_down_up
from adair.degradations.values import YES_NO, Choice, Name, Number, Parameter, Range

_ALL = (
    Operator(
        "noise",
        (
            Parameter("sigma", Range(0, 50), 0, 255),
            Parameter("clip", Name("true", 1.0), names=YES_NO),
        ),
        noise,
    ),
    Operator(
        "blur", (Parameter("sigma", Range(0.5, 3), 0, 20), Parameter("kernel", Number(25), 1, 161, whole=True)), blur
    ),
    Operator("resize", (Parameter("scale", Range(2, 4), 1, 16),), resize_down_up),
    Operator(
        "jpeg",
        (
            Parameter("quality", Range(10, 90), 1, 100, whole=True),
            Parameter("chroma", Name("420", 420), names={"420": 420.0, "444": 444.0}),
        ),
        jpeg,
    ),
    Operator(
        "rain",
        (
            Parameter("amount", Range(0.02, 0.3), 0, 1),
            Parameter("angle", Range(-45, 45), -90, 90),
            Parameter("length", Range(12, 60), 1, 100),
            Parameter("width", Range(1, 4), 0.5, 10),
            Parameter("brightness", Range(0.2, 0.9), 0, 1),
            Parameter("haze", Range(0, 0.15), 0, 1),
            Parameter("blend", Choice((Name("add", 0.0), Name("screen", 1.0))), names={"add": 0.0, "screen": 1.0}),
        ),
        rain,
    ),
)

OPERATORS: dict[str, Operator] = {operator.name: operator for operator in _ALL}
