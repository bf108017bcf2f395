"""Sphinx settings of the documentation site: make docs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import adair

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
os.environ.setdefault("COLUMNS", "100")  # width of the help texts in the command reference

project = "AdaIR"
author = "the AdaIR developers"
version = release = adair.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "commands",
    "operators",
    "elsewhere",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"AdaIR {version}"
html_static_path: list[str] = []
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
# Fonts and scripts come with the theme: pages open without a network (mathematics alone needs MathJax).
