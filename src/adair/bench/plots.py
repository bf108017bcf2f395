"""Plots of a run: PSNR against seconds per megapixel, a point per method, published figures at the side."""

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
_PANEL = (4.3, 4.2)  # inches
_LINE = 0.05  # height of a label, in heights of a panel
_MOST_PANELS = 4


def plot(title: str, rows: Sequence[Row]) -> bytes | None:
    """Draw the rows of one table as PNG, a panel per setting; None if there are too many, or no row has a time.

    Args:
        title: shown above the panels.
        rows: rows of one dataset; measured ones with a time become points, the input a dashed line, published ones
            labels.

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
    panels[0].set_xlim(*_span([row.seconds_per_megapixel or 1 for row in timed]))
    for axes, setting in zip(panels, settings, strict=True):
        _panel(axes, [row for row in rows if row.setting == setting], looks)
        axes.set_title(setting, fontsize=10.5, loc="left")
        axes.set_xlabel("seconds per megapixel", fontsize=9)
    panels[0].set_ylabel("PSNR in dB", fontsize=9)
    figure.suptitle(title, fontsize=12.5, fontweight="bold", x=0.005, ha="left")
    handles: dict[str, Any] = {}
    for axes in panels:
        handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    order = [name for name in looks if name in handles]
    figure.legend(
        [handles[name] for name in order],
        order,
        loc="outside lower center",
        ncols=min(len(order), 2 * len(settings)),
        frameon=False,
        fontsize=9,
        handletextpad=0.2,
    )
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return data.getvalue()


def _looks(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Return colour and marker of every method, ours first."""
    looks: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(row.method for row in rows if row.kind == "ours"):
        marker = "D" if name.endswith("ensemble") else "o"
        looks[name] = {"color": _OURS.get(name, "#4292c6"), "marker": marker, "s": 95, "zorder": 4}
    for number, name in enumerate(dict.fromkeys(row.method for row in rows if row.kind == "baseline")):
        colour, marker = _OTHERS[number % len(_OTHERS)], _MARKERS[number % len(_MARKERS)]
        looks[name] = {"color": colour, "marker": marker, "s": 55, "zorder": 3}
    return looks


def _span(times: Sequence[float]) -> tuple[float, float]:
    """Return the range of the time axis: wide enough that small differences do not look large."""
    low, high = min(times) / 2, max(times) * 2
    wider = max(1.0, (30 * low / high) ** 0.5)
    return low / wider, high * wider


def _panel(axes: Axes, rows: Sequence[Row], looks: dict[str, dict[str, Any]]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
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
    axes.margins(y=0.08)
    _published(axes, [row for row in rows if row.published])


def _published(axes: Axes, rows: Sequence[Row]) -> None:
    """Ticks at the right edge, each with a label next to it."""
    values = [row.psnr or 0.0 for row in rows]
    low, high = axes.get_ylim()
    low, high = min([low, *values]), max([high, *values])
    axes.set_ylim(low, high + 0.06 * (high - low))
    low, high = axes.get_ylim()
    heights = [(value - low) / (high - low) for value in values]
    for row, at, place in zip(rows, heights, apart(heights, _LINE), strict=True):
        axes.plot([1, 1.02, 1.06], [at, at, place], transform=axes.transAxes, color=_GRAY, linewidth=0.6, clip_on=False)
        text = f"{row.method} {row.psnr:.2f}"
        axes.text(
            1.07, place, text, transform=axes.transAxes, fontsize=7.5, color="#555555", style="italic", va="center"
        )


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Move ascending places as little as possible (least squares) so that neighbours are ``gap`` apart, within 0..1.

    Without the gaps this is isotonic regression: neighbours that are out of order share their mean.
    """
    groups: list[tuple[float, int]] = []
    for index, place in enumerate(places):
        groups.append((place - index * gap, 1))
        while len(groups) > 1 and groups[-2][0] > groups[-1][0]:
            (mean, count), (before, others) = groups.pop(), groups.pop()
            groups.append(((mean * count + before * others) / (count + others), count + others))
    top = 1 - (len(places) - 1) * gap
    level = [min(max(mean, 0.0), top) for mean, count in groups for _ in range(count)]
    return [value + index * gap for index, value in enumerate(level)]
