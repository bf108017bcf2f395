"""Networks that ``--runtime onnxruntime`` has made into graphs before: they start without PyTorch.

Importing PyTorch is three quarters of what one small photo takes. The first run with a task therefore leaves its graph
in the user's cache, under a hash of the weights; a later run finds it there. A cache that is damaged, or cannot be
written, only costs that time again.
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


class PreparedRestorer:
    """One network for files, without PyTorch; see `FileRestorer`.

    Args:
        graph: the ONNX file.
        facts: what the run that made it knew: label, mark, tasks.
    """

    def __init__(self, graph: Path, facts: dict[str, Any]) -> None:
        from adair.runtimes.standalone import Model

        self._model = Model(graph)
        self._label, self._mark = str(facts["label"]), str(facts["mark"])
        self.tasks = tuple(str(name) for name in facts["tasks"])

    def check(self, options: RestoreOptions) -> str:
        """Return the label of the one task that this does."""
        return self._label

    def mark(self, options: RestoreOptions) -> str:
        """Return the hash that `Restorer.mark` gave when the graph was made."""
        return self._mark

    def run(
        self, image: ImageFile, options: RestoreOptions, progress: Progress | None = None
    ) -> Restoration[ImageFile]:
        """Restore an image that was read from a file; alpha stays as it is.

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
        except Exception as error:  # ONNX Runtime has no type of its own for this
            if isinstance(error, MemoryError) or "allocate memory" in str(error).lower():
                raise OutOfMemoryError("not enough memory; use a smaller --tile") from error
            raise
        return Restoration(replace(image, pixels=np.atleast_3d(result)), ())


@dataclass(frozen=True)
class Prepared:
    """Where the graph of a task is, or would be.

    Attributes:
        graph: the ONNX file.
        facts: JSON next to it, which comes last, so that it vouches for the graph.
    """

    graph: Path
    facts: Path

    def load(self) -> PreparedRestorer | None:
        """Return what restores with the graph; None where there is none, or none that can be read."""
        try:
            return PreparedRestorer(self.graph, json.loads(self.facts.read_text(encoding="utf-8")))
        except Exception:  # a cache: whatever is wrong with it, it is made again
            return None

    def vouch(self, label: str, mark: str, tasks: tuple[str, ...]) -> None:
        """Say that the graph is complete."""
        aside = self.facts.with_name(f"{self.facts.name}.{os.getpid()}.part")
        aside.write_text(json.dumps({"label": label, "mark": mark, "tasks": tasks}), encoding="utf-8")
        aside.replace(self.facts)


def place(options: RestoreOptions) -> Prepared | None:
    """Return the place of a task's graph; None for what needs PyTorch in any case.

    That is: "auto", sequences, enlarging, results that are mixed with the image, ensembles, adapters of the user's own.

    Raises:
        InputError: a task or scale that `Restorer.restore` would not take.
    """
    bundled = {path.stem: path for path in sorted(WEIGHTS.glob("*.safetensors"))}
    files = {**installed_zoo(), **bundled}
    names = [name for name in files if name not in OTHERS]
    if is_auto(options.task) or not options.whole or options.ensemble:
        return None
    steps = parse_task(options.task, names)
    if len(steps) != 1 or check_scale(options.scale, steps) != 1:
        return None
    digest = hashlib.sha256(f"{adair.__version__} {label_of(steps)}".encode())
    for name in ("foundation", *sorted(steps[0])):
        digest.update(files[name].read_bytes())
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adair" / "graphs"
    key = digest.hexdigest()[:32]
    return Prepared(root / f"{key}.onnx", root / f"{key}.json")
