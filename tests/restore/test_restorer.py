"""What a user holds: kinds of images, tasks, blends, strength, tiles, precision."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import adair.restore.pipeline as pipeline_module
from adair.adapters import AdaptedModel, create_adapter, load_adapter, save_adapter
from adair.backbones import build_backbone, set_local_statistics
from adair.degradations import resize
from adair.errors import AdairError
from adair.restore import ImageFile, Restorer
from adair.restore.deploy import REACH
from adair.weights import load_foundation


def as_tensor(photo: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255


def reference(model_files: Path, task: str, x: torch.Tensor) -> torch.Tensor:
    """The adapter on the plain float32 network, without any of the restorer's machinery."""
    foundation = load_foundation(model_files / "foundation.safetensors")
    model = AdaptedModel(foundation.model)
    if task != "foundation":
        model.attach(load_adapter(model_files / f"{task}.safetensors", foundation).adapter)
    set_local_statistics(model, REACH)
    with torch.no_grad():
        return model(x).clamp(0, 1)


@pytest.mark.parametrize("task", ["denoise", "dejpeg", "foundation"])
def test_the_result_is_the_adapted_networks(
    restorer: Restorer, model_files: Path, photo: np.ndarray, task: str
) -> None:
    x = as_tensor(photo)
    result = restorer.restore(x, task)
    expected = reference(model_files, task, x)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)
    assert (result - x).abs().mean() > 0.002


def test_an_adapter_with_branches_works_and_goes_again(
    restorer: Restorer, model_files: Path, photo: np.ndarray
) -> None:
    x = as_tensor(photo)
    before = restorer.restore(x, "denoise")
    assert restorer.add_adapter(model_files / "branches.safetensors") == "branches"
    expected = reference(model_files, "branches", x)
    torch.testing.assert_close(restorer.restore(x, "branches"), expected, atol=1e-5, rtol=0)
    assert torch.equal(restorer.restore(x, "denoise"), before)


def test_the_same_kind_comes_out(restorer: Restorer, photo: np.ndarray) -> None:
    expected = restorer.restore(photo, "denoise")
    assert expected.dtype == np.uint8
    assert expected.shape == photo.shape
    floats = restorer.restore(photo.astype(np.float64) / 255, "denoise")
    assert floats.dtype == np.float64
    assert np.abs(floats * 255 - expected).max() <= 0.51
    deep = restorer.restore(photo.astype(np.uint16) * 257, "denoise")
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - expected).max() <= 0.51
    picture = restorer.restore(Image.fromarray(photo), "denoise")
    assert isinstance(picture, Image.Image)
    np.testing.assert_array_equal(np.asarray(picture), expected)
    file = restorer.restore(ImageFile(photo, exif=b"kept"), "denoise")
    np.testing.assert_array_equal(file.pixels, expected)
    assert file.exif == b"kept"
    half = restorer.restore(as_tensor(photo).half().repeat(2, 1, 1, 1), "denoise")
    assert half.dtype == torch.float16
    assert half.shape == (2, 3, 60, 90)
    assert torch.equal(half[0], half[1])


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "CMYK", "I;16", "YCbCr"])
def test_pil_modes(restorer: Restorer, photo: np.ndarray, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(photo[..., 0].astype(np.uint16) * 257)
    elif mode in ("LA", "RGBA"):
        image = Image.fromarray(photo).convert(mode[:-1])
        image.putalpha(Image.fromarray(photo[..., 1]))
    else:
        image = Image.fromarray(photo).convert(mode)
    image.info["exif"] = b"kept"
    result = restorer.restore(image, "denoise")
    assert result.mode == {"P": "RGB", "1": "L", "CMYK": "RGB", "YCbCr": "RGB"}.get(mode, mode)
    assert result.size == image.size
    assert result.info["exif"] == b"kept"
    if "A" in mode:
        np.testing.assert_array_equal(np.asarray(result.getchannel("A")), photo[..., 1])


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 1), (40, 50, 2)])
def test_gray_stays_gray(restorer: Restorer, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    result = restorer.restore(image, "denoise")
    assert result.shape == shape
    gray = image if len(shape) == 2 else image[..., 0]
    rgb = restorer.restore(np.dstack([gray] * 3).astype(np.float32) / 255, "denoise")
    values = result if len(shape) == 2 else result[..., 0]
    assert np.abs(values / 255 - rgb.mean(2)).max() <= 0.51 / 255


def test_alpha_is_untouched_and_enlarged_with_the_image(restorer: Restorer, photo: np.ndarray) -> None:
    alpha = np.tile(np.linspace(0, 255, 90).astype(np.uint8), (60, 1))
    result = restorer.restore(np.dstack([photo, alpha]), "denoise")
    np.testing.assert_array_equal(result[..., 3], alpha)
    np.testing.assert_array_equal(result[..., :3], restorer.restore(photo, "denoise"))
    larger = restorer.restore(np.dstack([photo, alpha]), "sr", scale=3)
    assert larger.shape == (180, 270, 4)
    whole = resize(torch.from_numpy(alpha)[None, None].float(), (180, 270), 3)[0, 0].clamp(0, 255)
    assert np.abs(larger[..., 3] - whole.numpy()).max() <= 0.51


@pytest.mark.parametrize("scale", [None, 2, 3, 4])
def test_super_resolution_enlarges_and_then_restores(
    restorer: Restorer, model_files: Path, photo: np.ndarray, scale: int | None
) -> None:
    times = scale or 2
    x = as_tensor(photo[:37, :41])
    large = resize(x, (37 * times, 41 * times), times).clamp(0, 1)
    for tile in (0, 128):  # parts enlarged on their own are exactly the parts of the whole
        bicubic = restorer.restore(x, "sr", scale=scale, strength=0, tile=tile)
        torch.testing.assert_close(bicubic, large, atol=1e-6, rtol=0)
    result = restorer.restore(x, "sr", scale=scale, tile=0)
    torch.testing.assert_close(result, reference(model_files, "sr", large), atol=1e-5, rtol=0)


def test_strength_mixes_the_image_and_the_result(restorer: Restorer, photo: np.ndarray) -> None:
    np.testing.assert_array_equal(restorer.restore(photo, "denoise", strength=0), photo)
    x = as_tensor(photo) * 0.5 + 0.25  # away from the ends, where clamping would bend the line
    full = restorer.restore(x, "denoise")
    half = restorer.restore(x, "denoise", strength=0.5)
    inside = (full > 0) & (full < 1)
    torch.testing.assert_close(half[inside], ((x + full) / 2)[inside], atol=1e-5, rtol=0)


def test_blends(restorer: Restorer, photo: np.ndarray) -> None:
    x = as_tensor(photo)
    assert torch.equal(restorer.restore(x, {"denoise": 1}), restorer.restore(x, "denoise"))
    mixed = restorer.restore(x, {"denoise": 0.7, "dejpeg": 0.3})
    assert torch.equal(mixed, restorer.restore(x, "denoise=0.7, dejpeg=0.3"))
    assert not torch.equal(mixed, restorer.restore(x, "denoise"))
    assert torch.equal(restorer.restore(x, {"denoise": 0.0}), restorer.restore(x, "foundation"))


def test_switching_back_and_forth_changes_nothing(restorer: Restorer, photo: np.ndarray) -> None:
    x = as_tensor(photo)
    tasks = ["denoise", "sr", "foundation", "dejpeg", "denoise=0.5,dejpeg=0.5"]
    first = {task: restorer.restore(x, task) for task in tasks}
    for task in reversed(tasks):
        assert torch.equal(restorer.restore(x, task), first[task])


def test_switching_takes_milliseconds(restorer: Restorer) -> None:
    names = ("denoise", "dejpeg")
    for name in names:
        restorer._pipeline.session({name: 1.0})
    start = time.perf_counter()
    for _ in range(10):
        for name in names:
            restorer._pipeline.session({name: 1.0})
    took = (time.perf_counter() - start) / 20
    print(f"switch: {1000 * took:.1f} ms")
    assert took < 0.5


def test_tiled_equals_whole(model_files: Path) -> None:
    """The network of the fixture, calmed so that distant pixels count as little as they do in a trained one."""
    restorer = Restorer.load(model_files / "foundation.safetensors", device="cpu", precision="fp32")
    rows, columns = np.mgrid[0:330, 0:420]
    image = (127 + 90 * np.sin(rows / 9) * np.cos(columns / 13)).astype(np.uint8)
    noisy = np.dstack([image] * 3) + np.random.default_rng(0).normal(0, 10, (330, 420, 3))
    noisy = noisy.clip(0, 255).astype(np.uint8)
    whole = restorer.restore(noisy, "foundation", tile=0).astype(int)
    tiled = restorer.restore(noisy, "foundation", tile=192).astype(int)
    assert np.abs(whole - noisy).mean() > 0.5
    assert np.abs(whole - tiled).mean() <= 0.1
    assert np.abs(whole - tiled).max() <= 2


def test_low_precision_stays_close(model_files: Path, restorer: Restorer, photo: np.ndarray) -> None:
    low = Restorer.load(model_files / "foundation.safetensors", device="cpu", precision="bf16")
    x = as_tensor(photo)
    difference = low.restore(x, "foundation") - restorer.restore(x, "foundation")
    assert 0 < difference.abs().mean() < 0.002
    assert torch.equal(low.restore(x, "foundation", strength=0), x)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(height=st.integers(1, 150), width=st.integers(1, 150), tile=st.sampled_from([None, 0, 1, 128]))
def test_any_size(restorer: Restorer, height: int, width: int, tile: int | None) -> None:
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert restorer.restore(image, "denoise", tile=tile).shape == image.shape


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 20000, 3), (20000, 1, 3)])
def test_extreme_shapes(restorer: Restorer, shape: tuple[int, ...]) -> None:
    image = np.full(shape, 128, np.uint8)
    assert restorer.restore(image, "denoise").shape == shape
    if shape == (1, 1, 3):
        assert restorer.restore(image, "sr", scale=4).shape == (4, 4, 3)


def test_out_of_memory_falls_back_to_smaller_tiles(
    restorer: Restorer, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.tile(photo, (5, 4, 1))
    expected = restorer.restore(image, "denoise", tile=128)
    network = restorer._pipeline.session({"denoise": 1.0}).network
    forward, sizes = type(network).forward, []

    def limited(self: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        sizes.append(x.shape[2] * x.shape[3])
        if sizes[-1] > 128 * 128:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return forward(self, x)

    monkeypatch.setattr(type(network), "forward", limited)
    result = restorer.restore(image, "denoise")
    assert max(sizes) > 128 * 128
    assert np.abs(result.astype(int) - expected).mean() < 1


def test_the_budget_of_a_tile_is_a_quarter_of_what_is_free_within_bounds() -> None:
    gib = 2**30
    budgets = {free: round(pipeline_module.cpu_budget(free * gib) / gib, 1) for free in (0, 3, 7, 8, 14, 15, 1000)}
    assert budgets == {0: 0.9, 3: 0.9, 7: 0.9, 8: 1.8, 14: 1.8, 15: 3.6, 1000: 3.6}
    assert pipeline_module.cpu_budget(64 * gib, at_once=4) == pipeline_module.LARGEST_BUDGET
    assert pipeline_module.cpu_budget(64 * gib, at_once=32) == pipeline_module.LEAST_BUDGET


def test_a_restorer_cuts_alike_whatever_becomes_of_the_memory(
    model_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "memory_available", lambda *_: 2**34)
    large = Restorer.load(model_files / "foundation.safetensors", "cpu", "fp32")
    several = Restorer.load(model_files / "foundation.safetensors", "cpu", "fp32", at_once=8)
    tile, _ = large._pipeline.tile_sizes(9000, 9000, None)
    monkeypatch.setattr(pipeline_module, "memory_available", lambda *_: 2**33)
    assert large._pipeline.tile_sizes(9000, 9000, None)[0] == tile
    small = Restorer.load(model_files / "foundation.safetensors", "cpu", "fp32")
    areas = [math.prod(one._pipeline.tile_sizes(9000, 9000, None)[0]) for one in (several, small, large)]
    assert areas == sorted(areas)
    least = pipeline_module.LEAST_BUDGET
    assert [one._pipeline.budget for one in (several, small, large)] == [least, 2 * least, 4 * least]


def test_the_tile_follows_the_memory_at_hand(restorer: Restorer, monkeypatch: pytest.MonkeyPatch) -> None:
    tiles = []
    for memory in (2**24, 2**28, 2**31):
        monkeypatch.setattr(pipeline_module, "memory_available", lambda _, memory=memory: memory)
        (height, width), _ = restorer._pipeline.tile_sizes(5000, 5000, None)
        tiles.append(height * width)
    assert tiles == sorted(set(tiles))


def test_tasks_are_listed_and_unknown_ones_get_a_suggestion(restorer: Restorer, photo: np.ndarray) -> None:
    assert restorer.tasks == ("dejpeg", "denoise", "sr")
    with pytest.raises(AdairError, match="unknown task 'denois'; did you mean 'denoise'"):
        restorer.restore(photo, "denois")
    with pytest.raises(AdairError, match="unknown task 'xyzzy'; known: dejpeg, denoise, sr, auto, foundation"):
        restorer.restore(photo, "xyzzy")
    with pytest.raises(
        AdairError, match=r"task 'dehaze' is in the zoo, .*--adapter zoo/dehaze uses"
    ):  # not "did you mean derain"
        restorer.restore(photo, "dehaze")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"task": "sr", "scale": 5}, "scale 5: task 'sr' offers 2, 3, 4"),
        ({"task": "denoise", "scale": 2}, "only task 'sr' enlarges"),
        ({"task": "denoise", "strength": 1.5}, "strength 1.5 is outside"),
        ({"task": "denoise", "strength": float("nan")}, "strength nan is outside"),
        ({"task": "denoise", "tile": -1}, "tile -1"),
        ({"task": "denoise", "tile": 128.0}, "tile 128.0 is not a whole number"),
        ({"task": "denoise", "tile": float("nan")}, "tile nan is not a whole number"),
        ({"task": {}}, "no task named"),
        ({"task": {"denoise": float("nan")}}, "not a finite number"),
        ({"task": "denoise=much"}, "'much' is not a number"),
        ({"task": "denoise=1,denoise=2"}, "twice"),
        ({"task": "denoise=1,"}, "without a name"),
    ],
)
def test_bad_requests_say_what_and_the_way_out(
    restorer: Restorer, photo: np.ndarray, arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(AdairError) as error:
        restorer.restore(photo, **arguments)  # type: ignore[arg-type]
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("photo.png", "a str is not an image"),
        (np.zeros((4, 4, 5), np.uint8), "is not an image"),
        (np.zeros((0, 4, 3), np.uint8), "is not an image"),
        (np.zeros((4, 4, 3), np.int64), "no known white"),
        (np.full((4, 4, 3), np.nan), "NaN or infinity"),
        (np.full((4, 4, 3), 255.0), "values from 255 to 255, but floats must be in 0..1; divide by"),
        (np.linspace(-128, 1, 48).reshape(4, 4, 3), "values from -128 to 1"),
        (torch.full((1, 3, 4, 4), 200.0), "floats must be in 0..1"),
        (torch.zeros(3, 4, 4), "is not an image"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.int64), "is not an image"),
        (torch.full((1, 3, 4, 4), torch.inf), "NaN or infinity"),
        (torch.zeros(1, 7, 4, 4), "is not an image"),
        (Image.new("F", (4, 4)), "no known white"),
    ],
)
def test_what_is_no_image_is_refused(restorer: Restorer, image: object, words: str) -> None:
    with pytest.raises(AdairError, match=words):
        restorer.restore(image, "denoise")


def test_an_adapter_for_another_foundation_is_refused(restorer: Restorer, tmp_path: Path) -> None:
    other = build_backbone("nafnet", restorer.foundation.config)
    path = tmp_path / "other.safetensors"
    save_adapter(path, create_adapter("merge", other), foundation_fingerprint="ab" * 32, task="other")
    with pytest.raises(AdairError, match="is for foundation"):
        restorer.add_adapter(path)
    assert "other" not in restorer.tasks


def test_the_users_image_and_the_foundation_stay_as_they_are(restorer: Restorer, photo: np.ndarray) -> None:
    image, x = photo.copy(), as_tensor(photo)
    x_before = x.clone()
    weights = {name: value.clone() for name, value in restorer.foundation.model.state_dict().items()}
    restorer.restore(image, "denoise")
    restorer.restore(x, "sr")
    np.testing.assert_array_equal(image, photo)
    assert torch.equal(x, x_before)
    for name, value in restorer.foundation.model.state_dict().items():
        assert torch.equal(value, weights[name]), name


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", None])
def test_the_gpu_gives_the_picture_of_the_cpu(
    restorer: Restorer, model_files: Path, photo: np.ndarray, precision: str | None
) -> None:
    gpu = Restorer.load(model_files / "foundation.safetensors", device="cuda", precision=precision)
    for task in ("denoise", "sr", "branches"):
        gpu.add_adapter(model_files / f"{task}.safetensors")
        restorer.add_adapter(model_files / f"{task}.safetensors", replace=True)
    image = np.tile(photo, (5, 5, 1))
    for task in ("denoise", "sr", "branches"):
        expected = restorer.restore(image, task, tile=128).astype(int)
        difference = np.abs(gpu.restore(image, task, tile=128) - expected)  # tiles of one width go together here
        assert difference.mean() < 0.6
        assert difference.max() <= 8
    x = as_tensor(photo).cuda()
    assert gpu.restore(x, "denoise").device == x.device
