"""Packages form floors: a lower one never imports a higher one, neighbours stay apart, and no files form a circle."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "adair"

FLOORS = {
    "errors": 0,
    "lazy": 0,
    "addresses": 1,
    "hardware": 1,
    "pages": 1,
    "images": 2,
    "metrics": 2,
    "data": 3,
    "degradations": 3,
    "tasks": 4,
    "backbones": 4,
    "weights": 5,
    "hub": 6,
    "adapters": 7,
    "inspect": 7,
    "runtimes": 7,
    "train": 8,
    "restore": 8,
    "bench": 9,
    "export": 9,
    "compare": 9,
    "serve": 9,
    "video": 9,
    "cluster": 9,
    "ui": 10,
    "studies": 10,
    "cli": 11,
}


def imported(tree: ast.AST) -> set[str]:
    """Parts of adair that a module imports, inside functions too; type-checking imports count as well."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path, so that the floors can be read"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "adair" else [module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("adair.")}
    return found - {"__version__"}


def violations(part: str, tree: ast.AST) -> set[str]:
    others = imported(tree) - {part}
    return {name for name in others if name not in FLOORS or FLOORS[name] >= FLOORS[part]}


MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))
INSIDE = [path for path in MODULES if path not in ("__init__.py", "__main__.py")]


@pytest.mark.parametrize("path", INSIDE)
def test_imports_only_lower_floors(path: str) -> None:
    part = path.split("/")[0].removesuffix(".py")
    assert part in FLOORS, f"{part}: give it a floor in this test"
    assert violations(part, ast.parse((SOURCE / path).read_text(encoding="utf-8"))) == set()


@pytest.mark.parametrize(
    ("part", "code", "expected"),
    [
        ("metrics", "from adair.errors import AdairError", set()),
        ("metrics", "def f():\n    from adair.restore import Restorer", {"restore"}),
        ("train", "import adair.restore.single", {"restore"}),
        ("restore", "from adair.cli.main import main", {"cli"}),
        ("backbones", "from adair import weights", {"weights"}),
        ("restore", "from adair import __version__", set()),
        ("restore", "from adair.studio import x", {"studio"}),
    ],
)
def test_the_rule_itself(part: str, code: str, expected: set[str]) -> None:
    assert violations(part, ast.parse(code)) == expected


def imports(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """For each module (name to source) the modules it imports: in functions and for type checking as well.

    The root package is left out: it imports lazily, and the floors above allow nothing of it but ``__version__``.
    """
    graph: dict[str, set[str]] = {}
    for name, source in sources.items():
        found = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom):
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {one if one in sources else str(node.module) for one in inner}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        graph[name] = (found & set(sources)) - {name}
    return graph


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of one circle of imports; none: an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_import_each_other_in_a_circle() -> None:
    names = {path: "adair." + path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in INSIDE}
    sources = {name: (SOURCE / path).read_text(encoding="utf-8") for path, name in names.items()}
    assert circle(imports(sources)) == []


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("from adair.a import x", "import adair.b", True),
        ("from adair.a import x", "def f():\n    from adair import b", True),
        ("from adair.a import x", "if TYPE_CHECKING:\n    from adair.b import X", True),
        ("from adair.a import x", "from adair.c import x", False),
    ],
)
def test_circles_are_found(first: str, second: str, found: bool) -> None:
    assert bool(circle(imports({"adair.b": first, "adair.a": second, "adair.c": ""}))) is found


def test_files_hold_one_idea() -> None:
    """Long files are a sign of two ideas; nothing goes beyond 400 lines."""
    lengths = {path: len((SOURCE / path).read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > 400} == {}
