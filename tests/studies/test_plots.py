"""Plots: each kind becomes a picture."""

from __future__ import annotations

import importlib.util
import io

import pytest
from PIL import Image

from adair.errors import AdairError
from adair.studies.page import Plot
from adair.studies.plots import bars, drawn, heat_map, require_matplotlib, scatter


@pytest.mark.parametrize(
    "plot",
    [
        bars("bars", "", {"ours": 30.0, "theirs": 29.0, "same": 29.0}, ["ours"], "dB"),
        bars("one", "", {"ours": 30.0}, ["ours"], "dB"),
        scatter("scatter", "", {"a": [(2.0, 30.0), (1.0, 29.0)], "b": [(4.0, 31.0)]}, ("x", "y"), {"line": 28.0}),
        heat_map("heat", "", ["a", "b"], ["x", "y", "z"], [[0.0, 1.0, -2.0], [0.1, 0.2, 0.3]]),
        heat_map("nothing", "", ["a"], ["x"], [[0.0]]),
    ],
    ids=lambda plot: plot.name,
)
def test_every_kind_is_drawn(plot: Plot) -> None:
    svg = drawn(plot, "svg")
    assert svg.lstrip().startswith(b"<?xml") and b"<svg" in svg and svg == drawn(plot, "svg")
    with Image.open(io.BytesIO(drawn(plot))) as image:
        assert image.format == "PNG" and image.width > 400 and len(set(image.convert("L").tobytes())) > 10


def test_without_matplotlib_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    require_matplotlib()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AdairError, match="--plots needs matplotlib; pip install"):
        require_matplotlib()
