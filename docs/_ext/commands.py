"""The directive ``commands``: every command of ``adair`` with the text of its ``--help``, taken from the program."""

from __future__ import annotations

import contextlib
import io

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from adair.cli.main import COMMANDS, main


def help_text(*words: str) -> str:
    """What ``adair WORDS --help`` prints."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        main([*words, "--help"])
    return text.getvalue().strip()


class Commands(Directive):
    """A section for each command."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        sections: list[nodes.Node] = []
        for name, summary in COMMANDS.items():
            section = nodes.section(ids=[f"adair-{name}"])
            text = help_text(name)
            section += [nodes.title(text=f"adair {name}"), nodes.paragraph(text=summary)]
            section += nodes.literal_block(text, text, language="text")
            self.state.document.note_explicit_target(section)
            sections.append(section)
        return sections


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
