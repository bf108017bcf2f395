"""Figures copied from papers, printed next to measured ones and never mixed with them: `Row.published` is set."""

from __future__ import annotations

from adair.bench.rows import Row
from adair.bench.suites import Setting

PAPERS = {
    "bicubic": "VDSR, arXiv 1511.04587",
    "BM3D": "Dabov et al. 2007, IEEE TIP 16(8); colour figures from later comparisons",
    "DnCNN": "arXiv 1608.03981",
    "FFDNet": "arXiv 1710.04026",
    "DRUNet": "arXiv 2008.13751",
    "SwinIR": "arXiv 2108.10257",
    "RCAN": "arXiv 1807.02758",
    "Restormer": "arXiv 2111.09881",
    "PromptIR": "arXiv 2306.13090",
    "InstructIR-3D": "arXiv 2401.16468",
    "AdaIR of ICLR 2025": "arXiv 2403.14614",
    "QGAC": "arXiv 2004.09320",
    "FBCNN": "arXiv 2109.14573",
}

# Colour Gaussian noise that is not clipped, RGB.
_SIGMAS = ("sigma 15", "sigma 25", "sigma 50")
_DENOISE = {
    "CBSD68": {
        "BM3D": (33.52, 30.71, 27.38),
        "DnCNN": (33.90, 31.24, 27.95),
        "FFDNet": (33.87, 31.21, 27.96),
        "DRUNet": (34.30, 31.69, 28.51),
        "SwinIR": (34.42, 31.78, 28.56),
        "Restormer (per sigma)": (34.35, 31.75, 28.56),
        "Restormer (blind)": (34.34, 31.74, 28.56),
    },
    "Kodak24": {
        "BM3D": (34.28, 32.15, 28.46),
        "DnCNN": (34.60, 32.14, 28.95),
        "FFDNet": (34.63, 32.13, 28.98),
        "DRUNet": (35.31, 32.89, 29.86),
        "SwinIR": (35.34, 32.89, 29.79),
        "Restormer (per sigma)": (35.49, 33.05, 30.01),
        "Restormer (blind)": (35.45, 33.04, 30.01),
    },
    "McMaster": {
        "BM3D": (34.06, 31.66, 28.51),
        "DnCNN": (33.45, 31.52, 28.62),
        "FFDNet": (34.66, 32.35, 29.18),
        "DRUNet": (35.40, 33.14, 30.08),
        "SwinIR": (35.61, 33.20, 30.22),
        "Restormer (per sigma)": (35.61, 33.33, 30.26),
        "Restormer (blind)": (35.55, 33.30, 30.27),
    },
    "Urban100": {
        "BM3D": (33.93, 31.36, 27.93),
        "DnCNN": (32.98, 30.81, 27.59),
        "FFDNet": (33.83, 31.40, 28.05),
        "DRUNet": (34.81, 32.60, 29.61),
        "SwinIR": (35.13, 32.90, 29.82),
        "Restormer (per sigma)": (35.15, 32.97, 30.02),
        "Restormer (blind)": (35.08, 32.92, 30.02),
    },
}

# Y, border of the scale left out.
_SCALES = ("x2", "x3", "x4")
_SR = {
    "Set5": {"RCAN": (38.27, 34.74, 32.63), "SwinIR": (38.42, 34.97, 32.92)},
    "Set14": {"SwinIR": (34.46, 30.93, 29.09)},
    "BSD100": {"SwinIR": (32.53, 29.46, 27.92)},
    "Urban100": {"SwinIR": (33.81, 29.75, 27.45)},
}

# RGB, libjpeg 4:2:0.
_QUALITIES = ("quality 10, RGB", "quality 20, RGB", "quality 30, RGB", "quality 40, RGB")
_DEJPEG = {"LIVE1": {"QGAC": (27.62, 29.88, 31.17, 32.05), "FBCNN": (27.77, 30.11, 31.43, 32.34)}}

_ALL_IN_ONE = "one network for several tasks, images cropped to multiples of 16"
_SINGLE = {
    ("derain", "Rain100L", "light rain, Y"): {
        "Restormer (trained on Rain13K)": (39.10, ""),
        "Restormer (trained on Rain100L)": (36.74, ""),
    },
    ("derain", "Rain100L", "light rain, RGB"): {
        "PromptIR": (36.37, _ALL_IN_ONE),
        "InstructIR-3D": (37.98, _ALL_IN_ONE),
        "AdaIR of ICLR 2025": (38.64, _ALL_IN_ONE),
    },
    ("derain", "Rain100H", "heavy rain, Y"): {"Restormer (trained on Rain13K)": (31.48, "")},
    ("denoise", "CBSD68", "sigma 25 clipped"): {
        "PromptIR": (31.31, f"{_ALL_IN_ONE}; noise rounded down to 8 bits"),
        "InstructIR-3D": (31.52, f"{_ALL_IN_ONE}; noise rounded down to 8 bits"),
        "AdaIR of ICLR 2025": (31.45, f"{_ALL_IN_ONE}; noise rounded down to 8 bits"),
    },
    **{
        ("sr", dataset, f"x{scale} of Y"): {"bicubic": (figure, "")}
        for dataset, figures in (("Set5", (33.66, 30.39, 28.42)), ("Set14", (30.24, 27.55, 26.00)))
        for scale, figure in zip((2, 3, 4), figures, strict=True)
    },
}


def published(setting: Setting) -> list[Row]:
    """The published rows of a setting, in the order of their figures."""
    rows = []
    for score in setting.scores:
        label = setting.label(score)
        for method, (figure, remark) in sorted(_figures(setting, label).items(), key=lambda item: item[1][0]):
            source = f"as printed, {PAPERS[method.partition(' (')[0]]}" + (f"; {remark}" if remark else "")
            rows.append(
                Row(
                    *(setting.suite, setting.dataset, label, method),
                    *(figure, None, source),
                    published=True,
                    kind="published",
                )
            )
    return rows


def _figures(setting: Setting, label: str) -> dict[str, tuple[float, str]]:
    """Method to figure and remark."""
    found = dict(_SINGLE.get((setting.suite, setting.dataset, label), {}))
    for suite, labels, table in (
        ("denoise", _SIGMAS, _DENOISE),
        ("sr", _SCALES, _SR),
        ("dejpeg", _QUALITIES, _DEJPEG),
    ):
        if setting.suite == suite and label in labels:
            for method, figures in table.get(setting.dataset, {}).items():
                found[method] = (figures[labels.index(label)], "")
    return found
