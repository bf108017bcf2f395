"""A qualitative sheet: one test image as it comes, restored by several methods, and clean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from adair.metrics import quantise
from adair.studies.method import Method
from adair.studies.page import Plot
from adair.studies.scores import enlarged, images_of, restore
from adair.studies.study import Results
from adair.studies.tasks import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 128  # pixels that are shown of each image


def sheet(results: Results, rivals: Sequence[Method], tasks: Sequence[Task]) -> Plot:
    """A row for each half of each task: input, what each method (of the first seed) makes of it, clean.

    Of every test the first image is shown, whatever it looks like; its PSNR is that of the whole crop.
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
