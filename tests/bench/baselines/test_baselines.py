"""Every installed baseline restores what it is for; missing ones are listed with the command that installs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from adair.bench.baselines import find_baselines, registry, unavailable
from adair.bench.baselines.registry import BASELINES
from adair.bench.case import Case, Method
from adair.degradations import parse_recipe, resize, shrink
from adair.errors import AdairError
from adair.metrics import psnr, quantise


@pytest.fixture(scope="module")
def clean() -> Tensor:
    """(1, 3, 52, 60), 8 bits: discs on a slope, so that there are edges and smooth parts."""
    rows, columns = torch.meshgrid(torch.arange(52.0), torch.arange(60.0), indexing="ij")
    image = torch.stack([rows / 105, columns / 120, (rows + columns) / 220])
    discs = ((14, 16, 9, (0.9, 0.2, 0.1)), (32, 40, 12, (0.1, 0.7, 0.9)), (40, 13, 6, (1, 1, 1)))
    for top, left, radius, colour in discs:
        inside = (rows - top).square() + (columns - left).square() < radius**2
        image[:, inside] = torch.tensor(colour, dtype=torch.float32).view(3, 1)
    return quantise(image.unsqueeze(0))


def noise(clean: Tensor, sigma: float = 25) -> Case:
    given = clean + sigma / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    return Case("denoise", given, (52, 60), facts={"sigma": sigma})


def blur(clean: Tensor, sigma: float = 2.0) -> Case:
    given = parse_recipe(f"blur(sigma={sigma}, kernel=25)").apply(clean, torch.Generator())
    return Case("deblur", given, (52, 60), facts={"blur_sigma": sigma})


def compression(clean: Tensor) -> Case:
    given = parse_recipe("jpeg(quality=10)").apply(clean, torch.Generator())
    return Case("dejpeg", given, (52, 60), facts={"quality": 10.0})


def small(clean: Tensor) -> Case:
    return Case("sr", shrink(clean, 2), (52, 60), 2)


CASES: dict[str, Callable[[Tensor], Case]] = {"denoise": noise, "deblur": blur, "dejpeg": compression, "sr": small}
PAIRS = [(one.name, task) for one in BASELINES for task in CASES if task in one.suites]


def installed(name: str, task: str) -> Method:
    found = {method.name: method for method in find_baselines(task)}
    if name not in found:
        pytest.skip(f"{name}: {unavailable()[name]}")
    return found[name]


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_each_peer_improves_what_it_is_for(name: str, task: str, clean: Tensor) -> None:
    method, case = installed(name, task), CASES[task](clean)
    restored = method.run(case)
    assert restored.shape == clean.shape and restored.dtype == torch.float32
    before = resize(case.given, case.size) if case.scale else case.given
    gain = float(psnr(quantise(restored), clean, crop=4) - psnr(before, clean, crop=4))
    least = {"denoise": 3.0, "deblur": 0.5, "dejpeg": 0.1, "sr": 0.1}
    assert gain > least[task]


@pytest.mark.parametrize(("name", "task"), [pair for pair in PAIRS if pair[1] in ("denoise", "deblur")])
def test_what_a_peer_needs_to_know_is_asked_for(name: str, task: str, clean: Tensor) -> None:
    method, case = installed(name, task), replace(CASES[task](clean), facts={})
    if name == "scikit-image NLM":  # blind
        assert psnr(quantise(method.run(case)), clean) > psnr(case.given, clean)
    else:
        with pytest.raises(AdairError, match=r"sigma, which suite (denoise|deblur) does not state"):
            method.run(case)


def test_wiener_and_richardson_lucy_leave_no_frame_at_the_border(clean: Tensor) -> None:
    case = blur(clean, 1.2)
    for name in ("Wiener", "Richardson-Lucy"):
        error = (installed(name, "deblur").run(case) - clean).abs().mean(dim=1)[0]
        middle = error[8:-8, 8:-8].mean()
        for edge in (error[:3], error[-3:], error[:, :3], error[:, -3:]):
            assert edge.mean() < 2 * middle


def test_noise_beyond_black_and_white_is_used(clean: Tensor) -> None:
    """Unclipped noise averages out; a baseline that clips its input would see dark places too bright."""
    dark = torch.zeros_like(clean)
    for name in ("TV", "wavelet", "scikit-image NLM", "FFDNet (IPOL)"):
        if name in unavailable():
            continue
        restored = installed(name, "denoise").run(noise(dark, 50))
        assert abs(restored.mean()) < 2 / 255, name


def test_suites_get_the_baselines_that_fit() -> None:
    names = {task: {method.name for method in find_baselines(task)} for task in ("sr", "deblur", "derain", "unseen")}
    assert "Lanczos" in names["sr"] and "unsharp mask" in names["deblur"]
    assert names["derain"] == set()
    assert "Lanczos" not in names["unseen"]
    assert {method.name for method in find_baselines("unseen", scale=2)} == names["sr"]
    assert all(
        method.kind == "baseline" and method.note and method.version
        for method in find_baselines("denoise") + find_baselines("sr")
    )


def test_a_missing_package_takes_the_peer_away_and_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda module: None if module in ("bm3d", "skimage") else module)
    assert {"BM3D", "TV", "Wiener", "scikit-image NLM"} <= unavailable().keys()
    assert "pip install bm3d" in unavailable()["BM3D"] and "non-commercial" in unavailable()["BM3D"]
    assert unavailable()["TV"] == "pip install 'adair[bench]'"
    assert "Lanczos" not in unavailable()
    assert not {"BM3D", "TV"} & {method.name for method in find_baselines("denoise")}


def test_opencv_keeps_the_order_of_colours(clean: Tensor) -> None:
    restored = installed("OpenCV NLM", "denoise").run(noise(clean, 5))
    assert np.allclose(restored.mean(dim=(2, 3)), clean.mean(dim=(2, 3)), atol=0.01)
