"""The page in headless Chromium, from the drop of a photo to the download; skipped where one of the three is missing.

`make test-ui` installs the first two; Chromium comes from the system (Debian: chromium or chromium-headless-shell).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adair.images import read_image
from adair.restore import RestoreOptions, Restorer, restore_file
from adair.restore.mask import Mask
from adair.ui.config import UiConfig
from adair.ui.folder_queue import FolderQueue
from adair.ui.queue_store import QueueStore
from adair.ui.workspace import Workspace

pytestmark = pytest.mark.filterwarnings("default")  # other people's warnings are theirs

NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
SECONDS = 60_000  # milliseconds: machines of CI are slow
TRAINING = 5 * SECONDS  # a training imports PyTorch anew, and shares the machine with the page and the browser
TABS = {
    "One photo": "#run",
    "Compare": "#compare",
    "Many photos": "#many-run",
    "Adapters": "#cards",
    "Train": "#train",
}  # and what each is for
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
HOSTILE = "..%2f\u202e<img src=x onerror=alert(1)>'\"$(id).png"


@dataclass
class Visit:
    """A page in a browser, and what it asked the network for."""

    page: Any
    address: str
    requests: list[str]
    problems: list[str]
    restorer: Restorer
    workspace: Workspace

    def drop(self, path: Path) -> None:
        self.page.set_input_files("#photo input[type=file]", str(path))

    def choose(self, task: str) -> None:
        box = self.page.locator("#task input")
        box.fill(task)
        box.press("Enter")

    def open(self, tab: str) -> None:
        """Open a tab; where the window is too narrow for all of them, the others are in a menu."""
        button = self.page.get_by_role("tab", name=tab)
        if button.count() == 0 or not button.first.is_visible():
            self.page.locator(".overflow-menu > button").click()
            button = self.page.locator(".overflow-dropdown button", has_text=tab)
        button.first.click()

    def run(self) -> str:
        self.page.click("#run")
        self.page.wait_for_selector("#status code", timeout=SECONDS)
        return str(self.page.inner_text("#status"))

    def wait(self, selector: str) -> Any:
        return self.page.wait_for_selector(selector, timeout=SECONDS)


@pytest.fixture
def server(restorer: Restorer, model_files: Path, tmp_path: Path) -> Iterator[tuple[str, Restorer, Workspace]]:
    pytest.importorskip("gradio", exc_type=ImportError)
    from adair.ui.run import serve

    (tmp_path / "work").mkdir()
    store = QueueStore(tmp_path / "queue")
    with (
        Workspace(tmp_path / "work") as workspace,
        FolderQueue(store, restorer, threading.Lock(), 2 * 10**6) as queue,
    ):
        config, foundation = UiConfig(port=0, max_megapixels=2), model_files / "foundation.safetensors"
        page, address = serve(config, restorer, workspace, queue, block=False, foundation=foundation)
        yield address, restorer, workspace
        page.close()
    assert list((tmp_path / "work").iterdir()) == []  # uploads and results are gone


@pytest.fixture(params=[{}])
def visit(server: tuple[str, Restorer, Workspace], request: pytest.FixtureRequest) -> Iterator[Visit]:
    playwright = pytest.importorskip("playwright.sync_api", exc_type=ImportError)
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    address, restorer, workspace = server
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **request.param})
        one = Visit(page, address, [], [], restorer, workspace)
        page.on("request", lambda asked: one.requests.append(asked.url))
        page.on("pageerror", lambda error: one.problems.append(str(error)))
        page.on("dialog", lambda dialog: (one.problems.append(dialog.message), dialog.dismiss()))
        page.goto(address)
        one.wait("#run")
        yield one
        browser.close()
    outside = [url for url in one.requests if not url.startswith((address, "data:", "blob:"))]
    assert outside == []  # nothing leaves loopback
    assert one.requests
    assert one.problems == []


def photo(folder: Path, name: str = "photo.png", size: tuple[int, int] = (160, 120), seed: int = 1) -> Path:
    path = folder / name
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path, dpi=(300, 300))
    return path


def saved(one: Visit, folder: Path) -> Path:
    one.wait("#download:not([disabled])")
    with one.page.expect_download(timeout=SECONDS) as waiting:
        one.page.click("#download")
    target = folder / waiting.value.suggested_filename
    waiting.value.save_as(target)
    return target


def test_drop_run_and_download(visit: Visit, tmp_path: Path) -> None:
    source = photo(tmp_path)
    visit.drop(source)
    assert "pixels, 8 bits" in visit.wait("#words small").inner_text()
    visit.wait("#slider img")
    visit.choose("dejpeg > denoise")
    assert "adair restore photo.png --task 'dejpeg > denoise'" in visit.run()
    target = saved(visit, tmp_path)
    assert target.name == "photo.dejpeg_denoise.png"
    expected = tmp_path / "command.png"
    restore_file(source, expected, options=RestoreOptions("dejpeg > denoise"), restorer=visit.restorer)
    assert target.read_bytes() == expected.read_bytes()
    assert read_image(target).density == pytest.approx((300 / 25.4, 300 / 25.4), rel=1e-3)


def test_brightness_alone_and_painted_parts(visit: Visit, tmp_path: Path) -> None:
    """What is painted over stays bit by bit, and the command that the page shows gives the same file."""
    source = photo(tmp_path, size=(320, 240))
    visit.drop(source)
    visit.wait("#slider img")
    visit.choose("denoise")
    visit.page.get_by_text("Brightness and colour").click()
    visit.page.locator("#colour input[type=number]").fill("0")
    visit.page.locator("#colour input[type=number]").press("Enter")
    visit.page.get_by_text("Parts that must not change").click()
    visit.wait("#editor canvas")
    visit.page.wait_for_timeout(1500)
    canvas = visit.page.locator("#editor canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    visit.page.mouse.move(across - 30, down)
    visit.page.mouse.down()
    visit.page.mouse.move(across + 30, down, steps=8)
    visit.page.mouse.up()
    visit.page.wait_for_function("document.querySelector('#kept').innerText.includes('stays')", timeout=SECONDS)
    shown = visit.run()
    assert "--colour 0 --mask photo.mask.png" in shown
    target = saved(visit, tmp_path)
    with visit.page.expect_download() as waiting:
        visit.page.click("#mask")
    waiting.value.save_as(tmp_path / "mask.png")
    mask = np.asarray(Image.open(tmp_path / "mask.png"))
    assert mask.shape == (240, 320) and 0.001 < (mask == 0).mean() < 0.5
    before, after = np.asarray(Image.open(source)), np.asarray(Image.open(target))
    assert np.array_equal(after[mask == 0], before[mask == 0])
    assert not np.array_equal(after[mask > 0], before[mask > 0])
    options = RestoreOptions("denoise", colour=0.0, mask=Mask.of(tmp_path / "mask.png"))
    restore_file(source, tmp_path / "command.png", options=options, restorer=visit.restorer)
    assert target.read_bytes() == (tmp_path / "command.png").read_bytes()


def test_the_slider_moves(visit: Visit, tmp_path: Path) -> None:
    visit.drop(photo(tmp_path))
    visit.choose("denoise")
    visit.wait("#slider img")
    visit.page.wait_for_timeout(1000)
    box = visit.page.locator("#slider").bounding_box()
    stage = visit.page.locator("#slider")
    before = stage.screenshot()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    visit.page.mouse.move(*middle)
    visit.page.mouse.down()
    visit.page.mouse.move(middle[0] - box["width"] / 4, middle[1], steps=5)
    visit.page.mouse.up()
    assert stage.screenshot() != before


def test_hostile_names_and_files(visit: Visit, tmp_path: Path) -> None:
    visit.drop(photo(tmp_path, HOSTILE.replace("/", "")))
    visit.wait("#words small")
    visit.choose("denoise")
    visit.run()
    target = saved(visit, tmp_path)
    assert not set(target.name) & set("<>\"'$/\\%\u202e")
    visit.page.reload()
    visit.wait("#run")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    visit.drop(broken)
    assert "broken.png" in visit.wait("#words [role=alert]").inner_text()
    assert str(visit.workspace.folder) not in visit.page.inner_text("body")
    visit.page.reload()
    visit.wait("#run")
    visit.drop(photo(tmp_path, "huge.png", (2000, 1100)))
    assert "megapixels" in visit.wait("#words [role=alert]").inner_text()


def begin_long_work(visit: Visit, tmp_path: Path) -> None:
    visit.drop(photo(tmp_path, size=(1600, 1000)))
    visit.wait("#words small")
    visit.choose("dejpeg > denoise > dejpeg > denoise > dejpeg > denoise")
    visit.page.wait_for_timeout(500)
    visit.page.click("#run")
    visit.wait("#status progress")


def test_cancel(visit: Visit, tmp_path: Path) -> None:
    begin_long_work(visit, tmp_path)
    visit.page.click("#cancel")
    visit.page.wait_for_function("document.querySelector('#status').innerText.includes('Cancelled')", timeout=SECONDS)
    assert not list(visit.workspace.folder.rglob("photo.dejpeg*.png"))


def test_another_start_replaces_the_first(visit: Visit, tmp_path: Path) -> None:
    begin_long_work(visit, tmp_path)
    visit.choose("denoise")
    visit.page.wait_for_timeout(500)
    assert "--task denoise" in visit.run()
    assert list(visit.workspace.folder.rglob("photo.denoise.png"))
    assert not list(visit.workspace.folder.rglob("photo.dejpeg*.png"))


def test_leaving_cancels(visit: Visit, tmp_path: Path) -> None:
    begin_long_work(visit, tmp_path)
    visit.page.reload()
    end = time.monotonic() + SECONDS / 1000
    while any(thread.name == "adair-ui" for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert not list(visit.workspace.folder.rglob("photo.dejpeg*.png"))


@pytest.mark.parametrize(
    "visit",
    [{"viewport": {"width": 360, "height": 740}, "has_touch": True}, {"color_scheme": "dark"}],
    indirect=True,
    ids=["phone", "dark"],
)
def test_phones_and_dark_rooms(visit: Visit, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    visit.drop(photo(tmp_path))
    visit.wait("#slider img")
    for tab, main in TABS.items():
        visit.open(tab)
        visit.wait(main)
        assert visit.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), tab
        colour = f"getComputedStyle(document.querySelector('{main}').closest('.tabitem')).color"
        text, back = map(lightness, (visit.page.evaluate(colour), visit.page.evaluate(BACKGROUND)))
        dark = request.node.callspec.id == "dark"
        assert (back < 70) == dark, tab
        assert (text - back > 100) if dark else (back - text > 100), tab


def lightness(colour: str) -> float:
    """The mean of R, G and B, 0 to 255, of a colour as browsers name it."""
    red, green, blue = map(float, re.findall(r"[\d.]+", colour)[:3])
    return (red + green + blue) / 3


def test_the_keyboard_is_enough(visit: Visit, tmp_path: Path) -> None:
    visit.drop(photo(tmp_path))
    visit.wait("#slider img")
    assert {"task", "strength", "scale", "run"} <= reached(visit, "run")
    visit.page.keyboard.press("Enter")
    visit.wait("#status code")


@pytest.mark.parametrize(
    ("tab", "controls", "last"),
    [
        ("Compare", {"compare"}, "compare"),
        ("Many photos", {"many", "many-task", "many-run"}, "many-run"),
        ("Adapters", {"adapter", "add"}, "add"),
        ("Train", {"clean", "recipe", "degraded", "train-name", "minutes", "train", "train-stop"}, "train-stop"),
    ],
)
def test_the_keyboard_is_enough_on_every_tab(visit: Visit, tab: str, controls: set[str], last: str) -> None:
    visit.page.get_by_role("tab", name="One photo").focus()
    for _ in range(list(TABS).index(tab)):
        visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    visit.wait(TABS[tab])
    assert controls <= reached(visit, last)


def reached(visit: Visit, last: str) -> set[str]:
    """Press Tab until ``last`` has the focus, and return the ids of everything that had it or contains what had it."""
    seen: set[str] = set()
    ids = "const ids = []; for (let p = document.activeElement; p; p = p.parentElement) ids.push(p.id); return ids"
    for _ in range(60):
        visit.page.keyboard.press("Tab")
        here = visit.page.evaluate(f"() => {{ {ids} }}")
        seen.update(here)
        if here[0] == last:
            break
    return seen


def test_other_hosts_origins_and_paths_are_refused(server: tuple[str, Restorer, Workspace], tmp_path: Path) -> None:
    import http.client
    from urllib.parse import urlsplit

    address, workspace = urlsplit(server[0]), server[2]
    secret = photo(tmp_path, "secret.png")

    def status(path: str, body: str | None = None, **headers: str) -> int:
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
        connection.request("GET" if body is None else "POST", path, body, {"Host": address.netloc, **headers})
        return connection.getresponse().status

    assert status("/") == 200
    assert status("/", Host="attacker.example") == 400
    assert status(f"/gradio_api/file={secret}") in (403, 404)
    assert status("/gradio_api/file=/etc/passwd") in (403, 404)
    form = '--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nevil\r\n--x--\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for origin in ("http://attacker.example", "http://localhost:1", "null"):
        assert status("/gradio_api/upload", form, Origin=origin, **kind) == 403
    assert not list(workspace.folder.rglob("a.txt"))
    assert status("/gradio_api/upload", form, Origin=f"http://{address.netloc}", **kind) == 200
    assert list(workspace.folder.rglob("a.txt"))


def test_many_photos_compare_and_cards(visit: Visit, tmp_path: Path) -> None:
    first, second = photo(tmp_path, "a.png"), photo(tmp_path, "b.png", (64, 48))
    visit.drop(first)
    visit.wait("#slider img")
    visit.page.get_by_role("tab", name="Compare").click()
    visit.page.click("#compare")
    visit.wait("#gallery img")
    visit.page.get_by_role("tab", name="Many photos").click()
    visit.page.set_input_files("#many input[type=file]", [str(first), str(second)])
    box = visit.page.locator("#many-task input")
    box.fill("denoise")
    box.press("Enter")
    visit.wait("#many .file-preview, #many table")  # uploaded
    visit.page.click("#many-run")
    visit.page.wait_for_function(
        "document.querySelector('#many-status').innerText.includes('2 of 2 photos; finished')", timeout=SECONDS
    )
    visit.page.get_by_role("tab", name="Adapters").click()
    visit.page.wait_for_function("document.querySelector('#cards').innerText.includes('merge')", timeout=SECONDS)


def test_both_halves_zoom_in_step(visit: Visit, tmp_path: Path) -> None:
    visit.drop(photo(tmp_path))
    visit.wait("#slider img")
    visit.page.wait_for_timeout(1000)
    sizes = "() => [...document.querySelectorAll('#slider img')].map(image => image.getBoundingClientRect().width)"
    before = visit.page.evaluate(sizes)
    box = visit.page.locator("#slider").bounding_box()
    visit.page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    for _ in range(5):
        visit.page.mouse.wheel(0, -200)
    visit.page.wait_for_timeout(500)
    after = visit.page.evaluate(sizes)
    assert len(after) == 2
    assert after[0] == pytest.approx(after[1])
    assert after[0] > 1.1 * before[0]


@pytest.mark.parametrize("source", ["recipe", "pairs"])
def test_train_watch_stop_and_keep(visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """From clean photos to a new task: the damage is previewed, the curve grows, stopping keeps the best weights."""
    from adair.ui import train_tab

    tiny = ("--validate-steps", "2", "--batch", "1", "--patch", "32", "--device", "cpu")
    monkeypatch.setattr(train_tab, "TrainingJob", partial(train_tab.TrainingJob, options=tiny))
    clean = [str(photo(tmp_path, f"{seed}.png", (96, 96), seed)) for seed in range(3)]
    page = visit.page

    def wait_for(text: str) -> None:  # or for the end, so that a failure is seen at once
        shows = "text => [text, 'Ended'].some(word => document.querySelector('#train-status').innerText.includes(word))"
        page.wait_for_function(shows, arg=text, timeout=TRAINING)
        assert text in page.inner_text("#train-status")

    page.get_by_role("tab", name="Train").click()
    page.locator("#recipe textarea, #recipe input").first.fill("noise(sigma=20)")
    page.set_input_files("#clean input[type=file]", clean)
    visit.wait("#damage img")  # the photos have been uploaded, and the recipe is previewed
    if source == "pairs":
        (tmp_path / "worse").mkdir()
        worse = [tmp_path / "worse" / Path(path).name for path in clean]
        for before, after in zip(clean, worse, strict=True):
            Image.open(before).point(lambda value: value // 2).save(after)
        page.set_input_files("#degraded input[type=file]", list(map(str, worse)))
        visit.wait("#degraded .file-preview, #degraded table")
    page.locator("#train-name textarea, #train-name input").first.fill("scanner")
    page.click("#train")
    wait_for("PSNR")  # a first validation on held-out photos
    assert "Training since" in page.inner_text("#train-status")
    page.wait_for_selector("#curve .mark-line path[stroke]", timeout=TRAINING)  # a line that can be seen
    page.click("#train-stop")
    wait_for("it is now task scanner")
    for selector in ("#trained a", "#sheet img"):
        page.wait_for_selector(selector, timeout=TRAINING)
    assert "scanner.safetensors" in page.inner_text("#trained").replace("\n", "")
    page.get_by_role("tab", name="One photo").click()
    visit.drop(Path(clean[0]))
    visit.wait("#slider img")
    visit.choose("scanner")
    assert "--task scanner" in visit.run()


class Program:
    """``adair ui`` as a process of its own."""

    def __init__(self, model_files: Path, folder: Path, state: Path) -> None:
        words = [sys.executable, "-m", "adair", "ui", "--no-browser", "--port", "0", "--folder", str(folder)]
        words += ["--foundation", str(model_files / "foundation.safetensors"), "--precision", "fp32"]
        words += ["--adapter", str(model_files / "denoise.safetensors")]
        environment = {**os.environ, "XDG_STATE_HOME": str(state)}
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment)
        assert self.process.stderr is not None
        lines = iter(self.process.stderr.readline, "")
        self.address = next(found[1] for line in lines if (found := re.search(r"page is at (http\S+)", line)))

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


def test_the_queue_goes_on_after_a_kill(model_files: Path, tmp_path: Path) -> None:
    """Killed in the middle of a folder, after a batch of uploaded photos that was done, and started again."""
    pytest.importorskip("gradio", exc_type=ImportError)
    playwright = pytest.importorskip("playwright.sync_api", exc_type=ImportError)
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    folder, dropped = tmp_path / "scans", tmp_path / "dropped"
    for place, number in ((folder, 60), (dropped, 13)):
        place.mkdir()
        for index in range(number):
            photo(place, f"{index:03}.png", (256, 256))
    (folder / "050.png").write_text("no image", encoding="utf-8")
    (dropped / "notes.txt").write_text("no photo", encoding="utf-8")
    results, says = folder / "restored", "text => document.querySelector('#many-status').innerText.includes(text)"
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page()
        with Program(model_files, folder, tmp_path / "state") as program:
            page.goto(program.address)
            page.get_by_role("tab", name="Many photos").click()
            page.locator("#many-task input").fill("denoise")
            page.locator("#many-task input").press("Enter")
            page.set_input_files("input[webkitdirectory]", str(dropped))
            page.wait_for_selector("#many .file-preview, #many table", timeout=SECONDS)
            page.click("#many-run")
            page.wait_for_function(says, arg="13 of 13 photos; finished", timeout=SECONDS)
            page.locator("#folder").get_by_text("scans").click()
            page.click("#many-run")
            end = time.monotonic() + SECONDS / 1000
            while len(list(results.glob("*.png"))) < 2:
                assert time.monotonic() < end
                time.sleep(0.01)
        before = {path.name: path.stat().st_mtime_ns for path in results.glob("*.png")}
        assert len(before) < 59
        with Program(model_files, folder, tmp_path / "state") as program:
            page.goto(program.address)
            page.get_by_role("tab", name="Many photos").click()
            page.wait_for_function(says, arg="1 failed; finished", timeout=SECONDS)
            shown = page.inner_text("#many-status")
            assert "000.png and 12 more, denoise" in shown and "13 of 13 photos; finished" in shown
            assert f"60 of 60 photos; {len(before)} of them were already done" in shown and "050.png: " in shown
            assert len(list(results.glob("*.png"))) == 59
            assert {name: (results / name).stat().st_mtime_ns for name in before} == before
            page.locator("#batch input").fill("000.png and 12 more, denoise")
            page.locator("#batch input").press("Enter")
            page.wait_for_selector("#many-results a", timeout=SECONDS)
            assert "restored.zip" in page.inner_text("#many-results").replace("\n", "")
        browser.close()
