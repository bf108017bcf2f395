"""The command line as a whole: quick help, one-line errors, exit codes."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import adair
from adair.cli import main as main_module
from adair.cli.main import COMMANDS, main
from adair.errors import AdairError

HEAVY = {"torch", "numpy", "PIL", "pyvips", "safetensors"}


def loaded_after(code: str) -> set[str]:
    """Which heavy libraries a fresh Python has imported after running ``code``."""
    script = f"{code}\nimport sys; print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return set(out.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "code",
    [
        "import adair",
        "import adair; adair.__version__; dir(adair)",
        "from adair.cli.main import main; assert main(['--help']) == 0",
        "from adair.cli.main import main; assert main([]) == 0",
        "from adair.cli.main import main; assert main(['--version']) == 0",
        "from adair.cli.main import main; assert main(['no-such-command']) == 2",
    ],
)
def test_help_and_import_load_nothing_heavy(code: str) -> None:
    assert loaded_after(code) == set()


def test_this_test_can_see_a_heavy_import() -> None:
    assert "numpy" in loaded_after("import numpy")


def test_help_lists_every_command_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, summary in COMMANDS.items():
        assert f"{name} {summary[:20]}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"adair {name}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"adair {adair.__version__}\n"


def test_module_is_the_same_as_the_script() -> None:
    done = subprocess.run([sys.executable, "-m", "adair", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"adair {adair.__version__}\n")


@pytest.mark.parametrize("words", [["restor"], ["--frobnicate"], ["tasks", "--frobnicate"], ["info"]])
def test_bad_use_is_one_line_and_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("adair: ") and error.count("\n") == 1 and "--help" in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["restore", "a.png", "-t", "denoise", "-o", "", "--overwrite"], "empty word after '-o'"),
        (["restore", "a.png", "-t", "denoise", "--output=", "--overwrite"], "empty word for --output"),
        (["restore", "", "-t", "denoise"], "empty word after 'restore'"),
        (["inspect", ""], "empty word after 'inspect'"),
        (["degrade", "", "-r", "noise(sigma=25)", "-o", "out"], "empty word after 'degrade'"),
    ],
)
def test_an_empty_word_is_not_the_current_folder(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")  # no network is needed to see that it is refused
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_missing_file_is_one_line_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tmp_path / "none.png")]) == 2
    error = capsys.readouterr().err
    assert "none.png" in error and error.count("\n") == 1


def command_that(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make ``adair tasks`` raise ``error``."""

    def tasks() -> None:
        raise error

    loader: Callable[[str], Callable[..., None]] = lambda name: tasks  # noqa: E731
    monkeypatch.setattr(main_module, "_load", loader)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (AdairError("a.png: broken\nin two; copy it again"), 2, "adair: a.png: broken in two; copy it again"),
        (OSError(28, "No space left on device", "out.png"), 2, "adair: out.png: the disk is full; free some"),
        (OSError(28, "No space left on device"), 2, "adair: no space left on device for standard output, or for a"),
        (
            ZeroDivisionError("division by zero"),
            1,
            "adair: unexpected ZeroDivisionError: division by zero; add --debug",
        ),
        (KeyboardInterrupt(), 130, "adair: interrupted"),
    ],
)
def test_errors_become_one_line(
    error: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command_that(monkeypatch, error)
    assert main(["tasks"]) == code
    shown = capsys.readouterr().err.strip()
    assert words in shown and "\n" not in shown and "Traceback" not in shown


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("restore", "interrupted; finished files are kept, and the same command goes on from there"),
        ("degrade", "interrupted; finished files are kept"),
        ("export", "interrupted"),
    ],
)
def test_an_interrupted_command_says_what_is_kept(
    command: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command_that(monkeypatch, KeyboardInterrupt())
    assert main([command]) == 130
    assert capsys.readouterr().err == f"adair: {said}\n"


@pytest.mark.parametrize("words", [["--debug", "tasks"], ["tasks", "--debug"]])
def test_debug_shows_the_traceback_anywhere(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command_that(monkeypatch, AdairError("a.png: broken; copy it again"))
    assert main(words) == 2
    shown = capsys.readouterr().err
    assert "Traceback" in shown and shown.strip().endswith("adair: a.png: broken; copy it again")


def test_names_that_the_encoding_lacks_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", out)

    def tasks() -> None:
        print("\u5199\u771f.png")

    monkeypatch.setattr(main_module, "_load", lambda name: tasks)
    assert main(["tasks"]) == 0
    out.flush()
    assert out.buffer.getvalue().split() == [rb"\u5199\u771f.png"]  # type: ignore[attr-defined]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device on this system")
def test_a_full_standard_output_is_named() -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-c", "from adair.cli.main import main; raise SystemExit(main(['tasks', '--json']))"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode and "standard output" in done.stderr, done.stderr
