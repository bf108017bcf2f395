"""``adair``: find the command, run it, and turn errors into one line and an exit code.

Only the module of the command that runs is imported, so ``adair --help`` answers at once. The command ``name`` is the
function ``name`` in ``adair/cli/name.py``, or a group of commands of that name; to add one, write that file and add its
line to ``COMMANDS``.

Exit codes: 0 done, 1 some files failed, 2 bad use or bad input, 130 interrupted.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Annotated, Any

import typer

from adair import __version__
from adair.cli.completion import words_to_complete
from adair.errors import AdairError, InputError, one_line

OFFLINE = "ADAIR_OFFLINE"  # read by `adair.hub`

COMMANDS = {
    "restore": "Restore photos and videos: noise, blur, rain, JPEG, small size.",
    "degrade": "Degrade photos with a recipe.",
    "tasks": "List the tasks and their measured figures.",
    "inspect": "Show what is wrong with an image.",
    "info": "Show what is in a file: adapter, foundation or image.",
    "doctor": "Show the hardware and how adair will use it.",
    "pretrain": "Train a foundation on clean photos.",
    "adapt": "Train an adapter for your own kind of damage.",
    "adopt": "Convert a published NAFNet or Restormer checkpoint to a foundation.",
    "pull": "Fetch adapters from the zoo, a hub or the web.",
    "push": "Publish an adapter with a card.",
    "merge": "Merge adapters into one file that acts like their blend.",
    "export": "Export a task for other programs: ONNX, OpenVINO, darktable, PyTorch.",
    "bench": "Measure on standard test sets, and compare with other tools.",
    "study": "Rerun an experiment of the paper and judge its claims.",
    "data": "List and download public test and training sets.",
    "compare": "Measure how an image differs from a reference, and show the difference.",
    "serve": "Serve restoring over HTTP.",
    "ui": "Restore photos on a web page.",
    "completion": "Print a script for shell completion of commands and options.",
}

KEPT = {  # what a command leaves when it is interrupted; training says so itself
    "restore": "finished files are kept, and the same command goes on from there",
    "degrade": "finished files are kept",
    "data": "the same command goes on from there",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the return value is the exit code.

    Args:
        arguments: the words after ``adair``; None for those in ``sys.argv``.
    """
    words = words_to_complete(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    words, debug = _take(words, "--debug")
    words, offline = _take(words, "--offline")
    _end_like_ctrl_c()
    _print_any_name()
    before = os.environ.get(OFFLINE)
    if offline:
        os.environ[OFFLINE] = "1"
    try:
        _refuse_empty(words)
        result = _command_line(words).main(args=words, prog_name="adair", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        text, code = _explain(error)
        print(f"adair: {one_line(' '.join(text.split()))}", file=sys.stderr)
        return code
    finally:
        if offline and before is None:
            del os.environ[OFFLINE]
    if code == 130:
        kept = KEPT.get(_command(words) or "")
        print(f"adair: interrupted{f'; {kept}' if kept else ''}", file=sys.stderr)
    return code


def _refuse_empty(words: Sequence[str]) -> None:
    """Raise `InputError` for an empty word, which would otherwise stand for the current folder."""
    for before, word in zip(["adair", *words], words, strict=False):
        flag, equals, value = word.partition("=")
        if not word or (flag.startswith("--") and equals and not value):
            where = f"after '{before}'" if not word else f"for {flag}"
            raise InputError(f"empty word {where}; is a variable of your shell not set?")


def _end_like_ctrl_c() -> None:
    """Let SIGTERM end a command like Ctrl-C, so that no partial file is left."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)


def _print_any_name() -> None:
    """Let file names be printed that the output's encoding lacks, as a pipe on Windows does: escaped, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _take(words: list[str], flag: str) -> tuple[list[str], bool]:
    """Move the flags of all commands, which are allowed anywhere before ``--``; no command must declare them."""
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != flag]
    return kept + words[end:], len(kept) < end


def _command(words: Sequence[str]) -> str | None:
    """Return the name of the command, in front of which only flags may be."""
    return next((word for word in words if not word.startswith("-")), None)


def _command_line(words: list[str]) -> Any:
    """Return the parser for ``words``: the command that they name is real, the others only appear in the list."""
    app = typer.Typer(name="adair", add_completion=False, rich_markup_mode=None)
    app.callback()(_globals)
    wanted = _command(words)
    for name, summary in COMMANDS.items():
        if name == wanted and isinstance(loaded := _load(name), typer.Typer):
            app.add_typer(loaded, name=name)
        elif name == wanted:
            app.command(name)(loaded)
        else:
            app.command(name, help=summary)(_elsewhere)
    return typer.main.get_command(app)


def _load(name: str) -> typer.Typer | Callable[..., Any]:
    """Return the command's function, or the group of its subcommands."""
    command: typer.Typer | Callable[..., Any] = getattr(importlib.import_module(f"adair.cli.{name}"), name)
    return command


def _elsewhere() -> None:
    """Placeholder of a command that this command line does not name."""


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"adair {__version__}")
        raise typer.Exit


def _globals(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may be anywhere on the line.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Download nothing; cached adapters work. May be anywhere on the line.")
    ] = False,
) -> None:
    """Restore photographs: one frozen network, one tiny adapter file per task (arXiv 2404.11475)."""


def _explain(error: Exception) -> tuple[str, int]:
    """Return the message for the user, and the exit code."""
    if isinstance(error, AdairError):
        return str(error), 2
    bad_use = getattr(error, "format_message", None)  # the parser's errors share this method, but no public class
    if bad_use is not None:
        where = getattr(getattr(error, "ctx", None), "command_path", "adair")
        return f"{bad_use().rstrip('.')}; see {where} --help", 2
    if isinstance(error, OSError):
        reason = (error.strerror or str(error)).lower()
        if error.filename is not None:
            from adair.images.parts import explain

            written = error.errno in (errno.ENOSPC, errno.ENAMETOOLONG)  # not certain of others, such as no permission
            return f"{error.filename}: {explain(error) if written else reason}", 2
        unnamed = error.errno == errno.ENOSPC  # all other files are named
        return f"{reason}{' for standard output, or for a temporary file' if unnamed else ''}", 2
    return f"unexpected {type(error).__name__}: {error}; add --debug for the traceback, and please report it", 1
