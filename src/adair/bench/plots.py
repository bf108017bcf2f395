"""Pictures of a run: PSNR against seconds a megapixel, each method a point, published figures at the side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adair.bench.rows import Row
from adair.errors import AdairError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OURS = {"foundation": "#9ecae1", "foundation + adapter": "#08519c"}
_OTHERS = ("#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f3c8d", "#444444")
_MARKERS = ("s", "^", "D", "v", "P", "X", "h", "p", "<", ">")
_GRAY = "#8a8a8a"
_PANEL = (3.6, 3.9)  # inches
_MOST_PANELS = 4


def plot(title: str, rows: Sequence[Row]) -> bytes | None:
    """Draw rows of one table, a panel for each setting, as PNG; None if there are too many or nothing has a time.

    Args:
        title: above all panels.
        rows: of one dataset; measured ones with a time become points, the input a dashed line, published ones labels.

    Raises:
        AdairError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise AdairError("--plots needs matplotlib; pip install 'adair[bench]'") from error
    settings = list(dict.fromkeys(row.setting for row in rows))
    timed = [row for row in rows if row.seconds_per_megapixel and row.psnr is not None]
    if not timed or len(settings) > _MOST_PANELS:
        return None
    looks = _looks(timed)
    figure = Figure(figsize=(_PANEL[0] * len(settings) + 0.6, _PANEL[1] + 0.9), dpi=160, layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, len(settings), sharex=True, squeeze=False)[0])
    for axes, setting in zip(panels, settings, strict=True):
        _panel(axes, [row for row in rows if row.setting == setting], looks)
        axes.set_title(setting, fontsize=10)
    panels[0].set_ylabel("PSNR in dB")
    figure.supxlabel("seconds a megapixel (less is better, to the left)", fontsize=9.5)
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    handles: dict[str, Any] = {}
    for axes in panels:
        handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    order = [name for name in looks if name in handles]
    figure.legend(
        [handles[name] for name in order],
        order,
        loc="outside lower center",
        ncols=min(len(order), max(2, 2 * len(settings))),
        frameon=False,
        fontsize=9,
    )
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return data.getvalue()


def _looks(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Colour and marker of every method, ours first."""
    looks: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(row.method for row in rows if row.kind == "ours"):
        looks[name] = {"color": _OURS.get(name, "#2171b5"), "marker": "o", "s": 95, "zorder": 4}
    for number, name in enumerate(dict.fromkeys(row.method for row in rows if row.kind == "peer")):
        colour, marker = _OTHERS[number % len(_OTHERS)], _MARKERS[number % len(_MARKERS)]
        looks[name] = {"color": colour, "marker": marker, "s": 55, "zorder": 3}
    return looks


def _panel(axes: Axes, rows: Sequence[Row], looks: dict[str, dict[str, Any]]) -> None:
    axes.set_xscale("log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, which="major", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8.5)
    for row in rows:
        if row.psnr is None:
            continue
        if row.seconds_per_megapixel:
            axes.scatter(
                row.seconds_per_megapixel,
                row.psnr,
                label=row.method,
                edgecolors="white",
                linewidths=0.8,
                **looks[row.method],
            )
        elif row.kind == "input":
            axes.axhline(row.psnr, color=_GRAY, linewidth=1, linestyle=(0, (4, 3)))
            place = axes.get_yaxis_transform()
            axes.text(0.01, row.psnr, row.method, transform=place, color=_GRAY, fontsize=8, va="bottom")
    axes.margins(x=0.25, y=0.1)
    _published(axes, [row for row in rows if row.published and row.psnr is not None])


def _published(axes: Axes, rows: Sequence[Row]) -> None:
    """Ticks at the right edge with labels beside them, pushed apart where they would cover each other."""
    if not rows:
        return
    values = [row.psnr or 0.0 for row in rows]
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, *values), max(high, *values) + 0.03 * (high - low))
    low, high = axes.get_ylim()
    places = _apart([(value - low) / (high - low) for value in values], 0.052)
    for row, value, place in zip(rows, values, places, strict=True):
        at = (value - low) / (high - low)
        axes.plot(
            [1.0, 1.02, 1.05], [at, at, place], transform=axes.transAxes, color=_GRAY, linewidth=0.7, clip_on=False
        )
        text = f"{row.method} {value:.2f}"
        axes.text(1.06, place, text, transform=axes.transAxes, fontsize=7, color="#555555", style="italic", va="center")


def _apart(places: Sequence[float], gap: float) -> list[float]:
    """Heights at least ``gap`` apart, in the given order (rising), the highest at most 1."""
    result = list(places)
    for index in range(1, len(result)):
        result[index] = max(result[index], result[index - 1] + gap)
    result[-1] = min(result[-1], 1.0)
    for index in range(len(result) - 2, -1, -1):
        result[index] = min(result[index], result[index + 1] - gap)
    return result
