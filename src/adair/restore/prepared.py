"""Networks that ``--runtime onnxruntime`` has converted to graphs before: they start without PyTorch.

Importing PyTorch takes three quarters of the time for one small photo. The first run with a task therefore leaves its
graph in the user's cache, under a hash of the weights and the version, where later runs find it. If the cache is
damaged or cannot be written, the only cost is that time.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import adair
from adair.errors import NonFiniteOutputError, OutOfMemoryError
from adair.hub.zoo import installed_zoo
from adair.images.image_file import ImageFile
from adair.restore.options import RestoreOptions
from adair.restore.restoration import Progress, Restoration
from adair.restore.tasks import check_scale, is_auto, label_of, parse_task

WEIGHTS = Path(adair.__file__).parent / "weights" / "bundled"
OTHERS = ("foundation", "estimator")
GRAPHS = 2  # raised whenever the same weights make another graph, so that those in the cache are not used any more


class PreparedRestorer:
    """Restores files with one prepared network, without PyTorch; see `FileRestorer`.

    Args:
        graph: the ONNX file.
        facts: what the run that made the graph recorded: label, mark, tasks.
    """

    def __init__(self, graph: Path, facts: dict[str, Any]) -> None:
        from adair.runtimes.standalone import Model

        self._model = Model(graph)
        self._label, self._mark = str(facts["label"]), str(facts["mark"])
        self.tasks = tuple(str(name) for name in facts["tasks"])

    def check(self, options: RestoreOptions) -> str:
        """Return the label of the one task that the graph is for."""
        return self._label

    def mark(self, options: RestoreOptions) -> str:
        """Return the hash that `Restorer.mark` returned when the graph was made."""
        return self._mark

    def run(
        self, image: ImageFile, options: RestoreOptions, progress: Progress | None = None
    ) -> Restoration[ImageFile]:
        """Restore an image that was read from a file; alpha is kept.

        Raises:
            NonFiniteOutputError, OutOfMemoryError: as `Restorer.run`.
        """
        gray = image.pixels.shape[2] == 1
        pixels = image.pixels[..., 0] if gray else image.pixels
        tile = max(pixels.shape[:2]) if options.tile == 0 else options.tile
        try:
            result = self._model.restore(pixels, tile, progress)
        except ArithmeticError as error:
            raise NonFiniteOutputError(f"task '{self._label}': {error}; use --runtime torch") from error
        except Exception as error:  # ONNX Runtime has no exception class of its own for this
            if isinstance(error, MemoryError) or "allocate memory" in str(error).lower():
                raise OutOfMemoryError("not enough memory; use a smaller --tile") from error
            raise
        return Restoration(replace(image, pixels=np.atleast_3d(result)), ())


@dataclass(frozen=True)
class Prepared:
    """The place of a task's graph in the cache.

    Attributes:
        graph: the ONNX file.
        facts: JSON next to it, written last: it proves that the graph is complete.
    """

    graph: Path
    facts: Path

    def load(self) -> PreparedRestorer | None:
        """Return a restorer for the graph; None if there is no graph, or none that can be read."""
        try:
            return PreparedRestorer(self.graph, json.loads(self.facts.read_text(encoding="utf-8")))
        except Exception:  # only a cache: if anything is wrong with it, it is made again
            return None

    def vouch(self, label: str, mark: str, tasks: tuple[str, ...]) -> None:
        """Mark the graph as complete."""
        aside = self.facts.with_name(f"{self.facts.name}.{os.getpid()}.part")
        aside.write_text(json.dumps({"label": label, "mark": mark, "tasks": tasks}), encoding="utf-8")
        aside.replace(self.facts)


def place(options: RestoreOptions) -> Prepared | None:
    """Return the place of a task's graph; None for requests that need PyTorch in any case.

    These are "auto", sequences, enlarging, results that are mixed with the image, ensembles, and adapters that are not
    bundled.

    Raises:
        InputError: a task or scale that `Restorer.restore` would refuse.
    """
    bundled = {path.stem: path for path in sorted(WEIGHTS.glob("*.safetensors"))}
    files = {**installed_zoo(), **bundled}
    names = [name for name in files if name not in OTHERS]
    if is_auto(options.task) or not options.whole or options.ensemble:
        return None
    steps = parse_task(options.task, names)
    if len(steps) != 1 or check_scale(options.scale, steps) != 1:
        return None
    digest = hashlib.sha256(f"{adair.__version__} {GRAPHS} {label_of(steps)}".encode())
    for name in ("foundation", *sorted(steps[0])):
        digest.update(files[name].read_bytes())
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adair" / "graphs"
    key = digest.hexdigest()[:32]
    return Prepared(root / f"{key}.onnx", root / f"{key}.json")
