"""``adair degrade`` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.cli.main import main
from adair.degradations import OPERATORS, degrade


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 31, 3), dtype=np.uint8)).save(path)
    return path


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def run(*words: object) -> int:
    return main(["degrade", *map(str, words)])


def test_one_file_is_what_the_library_gives(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "worse.png"
    assert run(photo, "--recipe", "blur(sigma=1..2) > noise(sigma=25)", "-o", out, "--seed", 5) == 0
    expected = degrade(np.asarray(opened(photo)), "blur(sigma=1..2) > noise(sigma=25)", seed=5)
    assert np.array_equal(np.asarray(opened(out)), expected)


def test_several_files_go_into_a_folder_and_differ(photo: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin.png"
    twin.write_bytes(photo.read_bytes())
    assert run(photo, twin, "-r", "noise(sigma=25)", "-o", tmp_path / "out") == 0
    first, second = (np.asarray(opened(tmp_path / "out" / name)) for name in ("photo.png", "twin.png"))
    assert not np.array_equal(first, second)


def test_alpha_and_sixteen_bits_are_kept(tmp_path: Path) -> None:
    rgba, deep = tmp_path / "rgba.png", tmp_path / "deep.png"
    pixels = np.random.default_rng(0).integers(0, 256, (8, 10, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(rgba)
    Image.fromarray(np.arange(80, dtype=np.uint16).reshape(8, 10) * 800).save(deep)
    assert run(rgba, deep, "-r", "noise(sigma=3, clip=false)", "-o", tmp_path / "out") == 0
    worse = np.asarray(opened(tmp_path / "out/rgba.png"))
    assert np.array_equal(worse[..., 3], pixels[..., 3])
    assert np.asarray(opened(tmp_path / "out/deep.png")).dtype == np.uint16
    assert run(rgba, "-r", "downscale(scale=2)", "-o", tmp_path / "small.png") == 0
    assert opened(tmp_path / "small.png").size == (5, 4)


def test_nothing_is_overwritten_unless_asked(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.png"
    out.write_bytes(b"precious")
    assert run(photo, "-r", "noise", "-o", out) == 2
    assert out.read_bytes() == b"precious"
    assert "--overwrite" in capsys.readouterr().err
    assert run(photo, "-r", "noise", "-o", out, "--overwrite") == 0
    assert opened(out).size == (31, 20)


def test_a_bad_recipe_is_one_line_and_nothing_is_written(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(photo, "-r", "noise > blurr", "-o", tmp_path / "out.png") == 2
    error = capsys.readouterr().err
    assert 'character 9: no operator "blurr"; did you mean "blur"?' in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out.png").exists()


def test_a_bad_file_among_good_ones_is_named_and_the_rest_written(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("not an image")
    assert run(bad, photo, tmp_path / "missing.png", "-r", "noise", "-o", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "bad.png" in error and "missing.png" in error
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["photo.png"]


def test_the_help_names_every_operator(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["degrade", "--help"]) == 0
    words = set(capsys.readouterr().out.replace(",", " ").replace(".", " ").split())
    assert set(OPERATORS) <= words


def test_a_file_that_appears_meanwhile_is_kept(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "worse.png"

    def slow(*arguments: object) -> object:
        output.write_bytes(b"somebody else's")
        return degrade(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("adair.degradations.degrade", slow)
    assert main(["degrade", str(photo), "--recipe", "noise(sigma=5)", "-o", str(output)]) == 2
    assert output.read_bytes() == b"somebody else's"


@pytest.mark.parametrize(
    ("name", "words"), [(f"{'x' * 300}.png", "the name is too long"), ("photo.png", "photo.png: is the file to read")]
)
def test_a_result_that_cannot_be_written_is_one_line(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    before = photo.read_bytes()
    assert run(photo, "-r", "noise", "-o", tmp_path / name, "--overwrite") == 2
    error = capsys.readouterr().err
    assert words in error and "Errno" not in error and error.count("\n") == 1
    assert photo.read_bytes() == before
