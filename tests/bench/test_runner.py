"""Runs: rows, taking up a stopped run, and files and methods that fail."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from adair.bench.case import Case, Method
from adair.bench.inputs import Degraded, Noise, Paired, Small
from adair.bench.meter import Meter
from adair.bench.methods import load_ours, own_methods
from adair.bench.protocols import Score
from adair.bench.rows import Journal, Row, read_rows
from adair.bench.runner import Bench
from adair.bench.suites import SUITES, Setting
from adair.errors import AdairError
from adair.metrics import psnr, quantise
from adair.restore import Restorer

Ours = tuple[Restorer, dict[str, str]]
RGB, Y = Score("RGB"), Score("Y")
NOISY = Setting("denoise", "CBSD68", "sigma 25", Noise(25), (RGB,))
RAINY = Setting("derain", "Rain100L", "light rain", Paired(), (Y, RGB))


class Counter:
    """A baseline that halves the image and counts its calls."""

    def __init__(self, fault: Callable[[Case], None] = lambda case: None) -> None:
        self.calls: list[Case] = []
        self.fault = fault

    def __call__(self, case: Case) -> Tensor:
        self.fault(case)
        self.calls.append(case)
        return case.given / 2

    def method(self, **changes: str) -> Method:
        return replace(Method("half", frozenset({"denoise", "derain"}), self), **changes)


def bench(data: Path, ours: Ours, journal: Path | None = None, limit: int | None = None) -> Bench:
    return Bench(data, Journal(journal), ours[0], lambda text: None, lambda text, done: None, limit)


def measured(row: Row) -> bool:
    return row.psnr is not None and row.seconds_per_megapixel is not None and row.seconds_per_megapixel > 0


def test_rows_of_ours_and_the_input(data: Path, ours: Ours) -> None:
    run = bench(data, ours)
    given, foundation, adapted = run.run(NOISY, own_methods(NOISY, *ours))
    assert [given.method, foundation.method, adapted.method] == ["input", "foundation", "foundation + adapter"]
    assert 20.0 < (given.psnr or 0) < 20.4
    assert given.seconds_per_megapixel is None and given.peak_mb is None
    assert measured(foundation) and measured(adapted) and foundation.psnr != adapted.psnr
    assert {row.images for row in (given, foundation, adapted)} == {2}
    assert foundation.version in adapted.version and ours[1]["denoise"][:12] in adapted.version
    assert run.problems == []


def test_ours_is_what_the_restorer_gives(data: Path, ours: Ours) -> None:
    from adair.bench.datasets import load

    clean = load(data / "CBSD68" / "1.png")
    _, given = Noise(25).make(clean, None)  # type: ignore[arg-type]
    wanted = float(psnr(quantise(ours[0].restore(given, "denoise")), clean))
    row = bench(data, ours, limit=1).run(NOISY, own_methods(NOISY, *ours))[2]
    assert row.psnr == pytest.approx(wanted, abs=1e-4) and row.images == 1


def test_settings_that_every_adapter_restores_use_the_first_images(data: Path, ours: Ours) -> None:
    half = Counter()
    (row,) = bench(data, ours).run(replace(NOISY, first=1), [half.method()])
    assert row.images == 1 and row.present == 2 and row.limit is None and row.protocol.endswith("; the first 1 images")
    assert len(half.calls) == 2  # one image and its corner
    assert bench(data, ours, limit=1).run(replace(NOISY, first=2), [half.method()])[0].images == 1


def test_the_ensemble_is_a_row_of_its_own(data: Path, ours: Ours) -> None:
    from adair.bench.datasets import load

    clean = load(data / "CBSD68" / "1.png")
    _, given = Noise(25).make(clean, None)  # type: ignore[arg-type]
    wanted = float(psnr(quantise(ours[0].restore(given, "denoise", ensemble=True)), clean))
    rows = bench(data, ours, limit=1).run(NOISY, own_methods(NOISY, *ours, ensemble=True))
    assert [row.method for row in rows[2:]] == ["foundation + adapter", "foundation + adapter, ensemble"]
    assert rows[3].psnr == pytest.approx(wanted, abs=1e-4) and rows[3].psnr != rows[2].psnr


def test_enlarging(data: Path, ours: Ours) -> None:
    setting = Setting("sr", "Set5", "x2", Small(2), (Score("Y", 2),))
    rows = bench(data, ours).run(setting, own_methods(setting, *ours))
    assert [row.method for row in rows] == ["bicubic", "foundation", "foundation + adapter"]
    assert (rows[0].psnr or 0) > 20 and measured(rows[1]) and measured(rows[2])


def test_unseen_tries_every_adapter_that_fits(ours: Ours) -> None:
    names = {setting.name: [m.name for m in own_methods(setting, *ours)] for setting in SUITES["unseen"]}
    assert names["salt and pepper"] == ["input", "foundation", "foundation + denoise"]
    assert names["x2 lanczos"] == ["bicubic", "foundation", "foundation + sr"]


def test_one_restoration_gives_all_scores(data: Path, ours: Ours) -> None:
    half = Counter()
    rows = bench(data, ours).run(RAINY, [half.method()])
    assert [row.setting for row in rows] == ["light rain, Y", "light rain, RGB"]
    assert len(half.calls) == 3  # two images and a corner of the first to warm up
    assert rows[0].psnr != rows[1].psnr and "MATLAB's Y" in rows[0].protocol and "RGB" in rows[1].protocol


def test_gray_images_are_given_as_three_channels(data: Path, ours: Ours) -> None:
    setting = Setting(
        "dejpeg", "classic5", "quality 10", Degraded("jpeg(quality=10)", {"quality": 10}), (Score("gray"),)
    )
    half = Counter()
    (row,) = bench(data, ours).run(setting, [half.method()])
    assert half.calls[-1].given.shape == (1, 3, 40, 52) and half.calls[-1].facts == {"quality": 10}
    assert row.psnr is not None and "gray" in row.protocol


def test_a_second_run_measures_only_what_changed(data: Path, ours: Ours, tmp_path: Path) -> None:
    journal, half = tmp_path / "rows.json", Counter()
    first = bench(data, ours, journal).run(NOISY, [half.method()])
    calls = len(half.calls)
    assert bench(data, ours, journal).run(NOISY, [half.method()]) == first and len(half.calls) == calls
    again = Bench(data, Journal(journal, fresh=True), ours[0], print, lambda text, done: None)
    again.run(NOISY, [half.method()])
    assert len(half.calls) == 2 * calls
    bench(data, ours, journal).run(NOISY, [half.method(version="2")])
    assert len(half.calls) == 3 * calls
    bench(data, ours, journal, limit=1).run(NOISY, [half.method(version="2")])
    assert len(half.calls) == 3 * calls + 2
    clipped = replace(NOISY, source=Noise(25, clipped=True))
    bench(data, ours, journal).run(clipped, [half.method(version="2")])
    assert len(half.calls) == 4 * calls + 2
    kept = read_rows(journal)
    (data / "CBSD68" / "3.png").write_bytes((data / "CBSD68" / "1.png").read_bytes())
    (row,) = bench(data, ours, journal).run(clipped, [half.method(version="2")])
    assert row.images == 3
    assert [(row.version, row.limit, "not clipped" in row.protocol) for row in kept] == [
        ("2", None, False),  # in place of the one before
        ("2", 1, True),
    ]


def test_another_adapter_is_measured_again(data: Path, ours: Ours, model_files: Path, tmp_path: Path) -> None:
    run = bench(data, ours, tmp_path / "rows.json")
    before = run.run(NOISY, own_methods(NOISY, *ours))
    other = load_ours(model_files / "foundation.safetensors", [model_files / "other.safetensors"], "cpu", "fp32")
    after = bench(data, other, tmp_path / "rows.json").run(NOISY, own_methods(NOISY, *other))
    assert before[:2] == after[:2]
    assert before[2].psnr != after[2].psnr


def test_an_interrupted_run_keeps_what_is_finished(data: Path, ours: Ours, tmp_path: Path) -> None:
    def stop(case: Case) -> None:
        raise KeyboardInterrupt

    journal = tmp_path / "rows.json"
    with pytest.raises(KeyboardInterrupt):
        bench(data, ours, journal).run(NOISY, [Counter().method(), Counter(stop).method(name="later")])
    listed = json.loads(journal.read_text())
    wanted = {"suite", "dataset", "setting", "method", "psnr", "ssim", "protocol", "images", "seconds_per_megapixel"}
    assert [row["method"] for row in listed] == ["half"]
    assert wanted | {"peak_mb", "published"} <= set(listed[0]) and listed[0]["published"] is False


@pytest.mark.parametrize("text", ["no json", '{"a": 1}', "[1]", '[{"suite": "denoise"}]'])
def test_another_file_is_not_taken_for_rows(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(AdairError, match=r"other\.json: does not contain rows"):
        Journal(path)
    assert path.read_text() == text


def fail(case: Case) -> None:
    raise RuntimeError("no\nluck")


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Counter(fail).method(), "half: RuntimeError: no"),
        (Method("small", frozenset(), lambda case: case.given[..., 1:]), "small: returned (1, 3, 40, 51)"),
        (Method("nan", frozenset(), lambda case: case.given * torch.nan), "nan: returned NaN or infinity"),
    ],
)
def test_a_method_that_fails_has_no_row(data: Path, ours: Ours, method: Method, words: str) -> None:
    run = bench(data, ours)
    rows = run.run(NOISY, [method, Counter().method(name="other")])
    assert [row.method for row in rows] == ["other"]
    assert len(run.problems) == 1 and words in run.problems[0]


def test_files_that_cannot_be_used_are_named_and_skipped(data: Path, ours: Ours) -> None:
    folder = data / "Rain100L"
    (folder / "input" / "3.png").write_text("no image")
    Image.fromarray(np.zeros((40, 52, 3), np.uint8)).save(folder / "target" / "3.png")
    Image.fromarray(np.zeros((30, 52, 3), np.uint8)).save(folder / "input" / "4.png")
    Image.fromarray(np.zeros((40, 52, 3), np.uint8)).save(folder / "target" / "4.png")
    Image.fromarray(np.zeros((40, 52, 3), np.uint8)).save(folder / "input" / "5.png")
    Image.fromarray(np.zeros((40, 52, 3), np.uint8)).save(folder / "target" / "6.png")
    (folder / "input" / "README.txt").write_text("not an image, and not meant to be one")
    run = bench(data, ours)
    rows = run.run(RAINY, [Counter().method(), Counter().method(name="second")])
    assert {row.images for row in rows} == {2} and len(rows) == 4
    problems = "\n".join(run.problems)
    assert len(run.problems) == 4  # each once, whatever the number of methods
    assert "3.png: is not an image" in problems and "4.png: is 52x30" in problems
    assert "5.png: has no clean partner" in problems and "6.png: has no partner" in problems


def test_an_empty_folder_is_named(tmp_path: Path, ours: Ours) -> None:
    (tmp_path / "CBSD68").mkdir()
    run = bench(tmp_path, ours)
    assert run.run(NOISY, [Counter().method()]) == []
    assert "CBSD68: holds no images" in run.problems[0]


def test_images_smaller_than_the_window_of_ssim(data: Path, ours: Ours) -> None:
    Image.fromarray(np.full((8, 30, 3), 90, np.uint8)).save(data / "CBSD68" / "3.png")
    run = bench(data, ours)
    (row,) = run.run(NOISY, [Counter().method()])
    assert row.psnr is not None and row.ssim is None and row.images == 3
    assert "3.png: smaller than the window of SSIM" in run.problems[0]


def test_images_smaller_than_the_border(data: Path, ours: Ours) -> None:
    Image.fromarray(np.full((4, 30, 3), 90, np.uint8)).save(data / "Set5" / "bad.png")
    setting = Setting("sr", "Set5", "x2", Small(2), (Score("Y", 2),))
    run = bench(data, ours)
    assert {row.images for row in run.run(setting, own_methods(setting, *ours))} == {1}
    assert "bad.png" in run.problems[0] and "border of 2" in run.problems[0]


def test_tools_of_an_earlier_run_stay_on_the_page(data: Path, ours: Ours, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    (tool,) = bench(data, ours, path).run(NOISY, [Counter().method()])
    bench(data, ours, path, limit=1).run(NOISY, [Counter().method(name="of one image")])
    own = bench(data, ours, path).run(NOISY, own_methods(NOISY, *ours))
    assert Journal(path).elsewhere(own) == [tool]
    assert Journal(path).elsewhere([*own, tool]) == []
    assert Journal(path).elsewhere([replace(own[0], setting="sigma 50")]) == []


def test_equal_images_have_no_finite_psnr(data: Path, ours: Ours, tmp_path: Path) -> None:
    setting = Setting("unseen", "CBSD68", "nothing", Degraded("banding(levels=256)"), (RGB,))
    (row,) = bench(data, ours, tmp_path / "rows.json").run(setting, own_methods(setting, ours[0], {})[:1])
    assert row.psnr is None and row.ssim == pytest.approx(1)
    assert read_rows(tmp_path / "rows.json") == [row]


def test_the_meter_sees_memory_that_a_call_takes() -> None:
    meter = Meter(torch.device("cpu"))
    if meter.peak_mb is None and not Path("/proc/self/clear_refs").exists():
        pytest.skip("the system does not tell")
    for megabytes in (40, 5):
        with meter.watch():
            torch.ones(megabytes * 250_000)
    assert meter.seconds > 0
    assert meter.peak_mb is None or 30 < meter.peak_mb < 60


def test_the_meter_of_one_thread_does_not_count_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {}
    for threads in (1, 2):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        meter = Meter(torch.device("cpu"))
        with meter.watch():
            time.sleep(0.2)
        seconds[threads] = meter.seconds
    assert seconds[1] < 0.1 < seconds[2]
