"""The plots of the studies, and the sheet of restored test images."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from adair.errors import AdairError
from adair.metrics import quantise
from adair.studies.page import Plot
from adair.studies.scores import enlarged, images_of, restore
from adair.studies.study import Method, Results
from adair.studies.tasks import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS, OTHERS, GRAY = "#08519c", "#9ecae1", "#8a8a8a"
COLOURS = ("#08519c", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f3c8d", "#444444")
_MARKERS = "osD^vPXh"


FORMATS = ("png", "svg")
FEW = 6  # values of a logarithmic axis that all get a tick


def require_matplotlib() -> None:
    """Check that plots can be drawn, before hours of work are spent on what they show.

    Raises:
        AdairError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise AdairError("--plots needs matplotlib; pip install 'adair[bench]'")


def drawn(plot: Plot, kind: str = "png") -> bytes:
    """Draw a plot as one of `FORMATS`; the same plot gives the same bytes.

    Raises:
        AdairError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=plot.size, dpi=140, layout="constrained")
    plot.draw(figure)
    data = io.BytesIO()
    with rc_context({"svg.hashsalt": plot.name}):
        figure.savefig(data, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return data.getvalue()


def bars(name: str, caption: str, values: Mapping[str, float], ours: Sequence[str], unit: str) -> Plot:
    """Draw a bar for each of ``values``, those of ``ours`` darker; the axis starts slightly below the smallest."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure)
        labels = list(values)
        colours = [OURS if label in ours else OTHERS for label in labels]
        axes.barh(labels, list(values.values()), color=colours)
        low, high = min(values.values()), max(values.values())
        room = max(0.2, high - low)
        axes.set_xlim(low - 0.35 * room, high + 0.15 * room)
        axes.invert_yaxis()
        axes.set_xlabel(unit, fontsize=9)
        for index, value in enumerate(values.values()):
            axes.text(value, index, f" {value:.2f}", va="center", fontsize=8.5)

    return Plot(name, caption, draw, (8.0, 0.9 + 0.32 * len(values)))


def scatter(
    name: str,
    caption: str,
    groups: Mapping[str, Sequence[tuple[float, float]]],
    axes_names: tuple[str, str],
    lines: Mapping[str, float] | None = None,
    log: bool = True,
) -> Plot:
    """Draw points of several groups, joined within a group; ``lines`` are dashed horizontal lines.

    On a logarithmic axis, the ticks are at the values of the points if these are few.
    """

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

        axes = _axes(figure)
        everywhere = sorted({x for points in groups.values() for x, _ in points})
        if log:
            axes.set_xscale("log")
            few = len(everywhere) <= FEW
            axes.xaxis.set_major_locator(FixedLocator(everywhere) if few else LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_locator(NullLocator())
        for number, (label, points) in enumerate(groups.items()):
            x, y = zip(*sorted(points), strict=True)
            colour, marker = COLOURS[number % len(COLOURS)], _MARKERS[number % len(_MARKERS)]
            axes.plot(x, y, label=label, color=colour, marker=marker, linewidth=1.2, markersize=6)
        for label, height in (lines or {}).items():
            axes.axhline(height, color=GRAY, linewidth=1, linestyle=(0, (4, 3)))
            side = "bottom" if height == max((lines or {}).values()) else "top"  # two labels may be close to each other
            ends = [_nearest(groups, x, height) for x in (everywhere[0], everywhere[-1])]
            at, align = (0.995, "right") if ends[1] > ends[0] else (0.005, "left")  # where the points leave more room
            transform = axes.get_yaxis_transform()
            axes.text(at, height, label, transform=transform, color=GRAY, fontsize=8, va=side, ha=align)
        axes.set_xlabel(axes_names[0], fontsize=9)
        axes.set_ylabel(axes_names[1], fontsize=9)
        figure.legend(frameon=False, fontsize=8.5, loc="outside right upper")

    return Plot(name, caption, draw)


def _nearest(groups: Mapping[str, Sequence[tuple[float, float]]], x: float, height: float) -> float:
    """Return the distance of the point at ``x`` that is nearest to a line of this height."""
    return min(abs(y - height) for points in groups.values() for at, y in points if at == x)


def heat_map(
    name: str, caption: str, rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float]]
) -> Plot:
    """Draw a square for each value, blue above zero and red below, with the number in it."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        limit = max((abs(value) for row in values for value in row), default=1.0) or 1.0
        axes.imshow(values, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
        axes.set_xticks(range(len(columns)), columns, rotation=35, ha="right", fontsize=8.5)
        axes.set_yticks(range(len(rows)), rows, fontsize=8.5)
        for i, row in enumerate(values):
            for j, value in enumerate(row):
                ink = "white" if abs(value) > 0.65 * limit else "black"
                axes.text(j, i, f"{value:+.2f}", ha="center", va="center", fontsize=8, color=ink)

    return Plot(name, caption, draw, (2.5 + 0.75 * len(columns), 1.4 + 0.34 * len(rows)))


def _axes(figure: Figure) -> Axes:
    axes: Axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8.5)
    return axes


SIDE = 128  # side, in pixels, of the part of each image that is shown


def sheet(results: Results, rivals: Sequence[Method], tasks: Sequence[Task]) -> Plot:
    """Draw a row for each half of each task: input, result of each method (with the first seed), clean image.

    The first image of every test is shown, whatever it looks like; its PSNR is that of the whole crop.
    """

    def draw(figure: Figure) -> None:
        workspace, budget = results.workspace, results.budget
        tests = [(task, test) for task in tasks for test in task.tests]
        panels = figure.subplots(len(tests), len(rivals) + 2, squeeze=False)
        for (task, test), row in zip(tests, panels, strict=True):
            _, clean, given = next(images_of(workspace, test, budget.images, budget.crop))
            start = enlarged(given, clean, test)
            shown: list[tuple[str, Tensor]] = [("input", start)]
            for rival in rivals:
                network = rival.scores[0][task.name].network
                assert network is not None
                shown.append((rival.name, quantise(restore(workspace, network.restorer(workspace, task.name), start))))
            for axes, (name, image) in zip(row, [*shown, ("clean", clean)], strict=True):
                axes.imshow(_centre(image))
                axes.set_xticks([])
                axes.set_yticks([])
                quality = "" if name == "clean" else f"\n{test.score.psnr(image, clean):.2f} dB"
                axes.set_title(f"{name}{quality}", fontsize=7.5)
            row[0].set_ylabel(test.name, fontsize=9)

    caption = "Denoising at two levels and super-resolution by two factors: the first image of each test."
    return Plot("sheet", caption, draw, (1.75 * (len(rivals) + 2), 2.1 * 2 * len(tasks)))


def _centre(image: Tensor) -> object:
    height, width = image.shape[-2:]
    side = min(SIDE, height, width)
    top, left = (height - side) // 2, (width - side) // 2
    piece = image[0, :, top : top + side, left : left + side]
    return piece.clamp(0, 1).permute(1, 2, 0).numpy()
