"""Check that everything that names the version names the same one: python tools/check_release.py [--tag v1.2.3]."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACES = {
    "src/adair/__init__.py": r'^__version__ = "([^"]+)"',
    "CITATION.cff": r"^version: (\S+)",
    "CHANGELOG.md": r"^## (\d\S*?),? ",
    "packaging/conda-forge/recipe.yaml": r'^  version: "([^"]+)"',
    "packaging/adair-zoo/pyproject.toml": r'^version = "([^"]+)"\n(?:.*\n)*?dependencies = \["adair==\1"\]',
}


def versions(root: Path = ROOT) -> dict[str, str]:
    """Return the version that each file names (the newest one of the changelog)."""
    found = {}
    for place, pattern in PLACES.items():
        match = re.search(pattern, (root / place).read_text(encoding="utf-8"), re.MULTILINE)
        found[place] = match[1] if match else "none"
    return found


def main() -> int:
    """Print what disagrees; return 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", help="the tag of the release, as v1.2.3")
    found = versions()
    tag = parser.parse_args().tag
    if tag is not None:
        found["the tag"] = tag.removeprefix("v")
        if re.search(r"^## \S+, unreleased", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE):
            print("CHANGELOG.md: its newest version is marked as unreleased; give it the date")
            return 1
    if len(set(found.values())) > 1:
        for place, version in found.items():
            print(f"{place}: {version}")
        return 1
    print(f"version {next(iter(found.values()))} everywhere")
    return 0


if __name__ == "__main__":
    sys.exit(main())
