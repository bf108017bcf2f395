"""``adair completion``: shell completion of commands and options."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from adair.errors import InputError

VARIABLE = "_ADAIR_COMPLETE"  # set when the scripts call ``adair``
SHELLS = ("bash", "zsh", "fish")


def completion(shell: Annotated[str, typer.Argument(help="bash, zsh or fish.", metavar="SHELL")]) -> None:
    """Print a script with which your shell completes commands and options on Tab.

    Bash: eval "$(adair completion bash)" in ~/.bashrc; zsh: eval "$(adair completion zsh)" in ~/.zshrc, after
    compinit; fish: adair completion fish > ~/.config/fish/completions/adair.fish.
    """
    from typer._completion_shared import get_completion_script

    if shell not in SHELLS:
        raise InputError(f"shell '{shell}' is not supported; choose {', '.join(SHELLS)}")
    print(get_completion_script(prog_name="adair", complete_var=VARIABLE, shell=shell))


def words_to_complete(words: Sequence[str]) -> list[str]:
    """Return the words that the shell wants to complete, or ``words`` if it does not."""
    if VARIABLE not in os.environ:
        return list(words)
    from typer._completion_classes import completion_init

    completion_init()
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return line.split()[1:]
