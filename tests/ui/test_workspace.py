from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from adair.errors import InputError
from adair.ui.workspace import LONGEST_STEM, PREFIX, Workspace, safe_stem


def test_private_and_gone_afterwards(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace:
        (workspace.uploads / "photo.png").write_bytes(b"x")
        if os.name != "nt":
            assert stat.S_IMODE(workspace.folder.stat().st_mode) == 0o700
            assert stat.S_IMODE(workspace.uploads.stat().st_mode) == 0o700
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="processes cannot be asked there")
def test_what_a_killed_process_left_is_deleted(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stale = tmp_path / f"{PREFIX}{ended.pid}-abc"
    alive = tmp_path / f"{PREFIX}{os.getpid()}-abc"
    for folder in (stale, alive):
        folder.mkdir()
    with Workspace(tmp_path):
        assert not stale.exists()
        assert alive.exists()


def test_only_uploads_count_as_uploads(tmp_path: Path) -> None:
    outside = tmp_path / "secret.png"
    outside.write_bytes(b"x")
    with Workspace(tmp_path) as workspace:
        inside = workspace.uploads / "photo.png"
        inside.write_bytes(b"x")
        assert workspace.checked(inside) == inside
        (workspace.uploads / "link.png").symlink_to(outside)
        hostile = [outside, workspace.uploads / ".." / ".." / "secret.png", workspace.uploads / "link.png", "\0", "/"]
        for path in hostile:
            with pytest.raises(InputError, match="drop the photo again"):
                workspace.checked(path)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("photo.jpg", "photo"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system.ini", "system"),
        ("a\0b\n\x1b[31m.png", "a_b_31m"),
        ("<script>alert(1)</script>.png", "script"),
        ("日本.png", "日本"),
        ("CON.png", "_CON"),
        ("....", "photo"),
        ("-rf.png", "-rf"),
        ("x" * 500 + ".png", "x" * LONGEST_STEM),
    ],
)
def test_names_from_browsers_are_tamed(name: str, stem: str) -> None:
    assert safe_stem(name) == stem
