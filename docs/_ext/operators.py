"""The directive ``operators``: every operator of the recipe language, with its parameters and its docstring."""

from __future__ import annotations

import inspect

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from adair.degradations import OPERATORS
from adair.degradations.values import Parameter


def _line(parameter: Parameter) -> str:
    allowed = ", ".join(parameter.names) or f"{parameter.low:g} to {parameter.high:g}"
    kind = ", whole numbers" if parameter.whole else ""
    return f"{parameter.name} = {parameter.default}  ({allowed}{kind})"


class Operators(Directive):
    """A section for each operator."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        sections: list[nodes.Node] = []
        for name, operator in OPERATORS.items():
            section = nodes.section(ids=[f"operator-{name}"])
            section += nodes.title(text=name)
            lines = "\n".join(map(_line, operator.parameters))
            section += nodes.literal_block(lines, lines, language="text")
            for paragraph in inspect.cleandoc(operator.apply.__doc__ or "").split("\n\n"):
                section += nodes.paragraph(text=" ".join(paragraph.replace("``", "").split()))
            self.state.document.note_explicit_target(section)
            sections.append(section)
        return sections


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("operators", Operators)
    return {"parallel_read_safe": True}
