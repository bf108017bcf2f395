from __future__ import annotations

import pytest

from adair.inspect import Advice, Finding, advise
from adair.restore import RestoreOptions
from adair.tasks import DAMAGES, UNDOES
from adair.ui.wording import command_line, describe, duration

TASKS = list(UNDOES.values())


def advice(**levels: tuple[float, float]) -> Advice:
    """Findings from kind=(probability, severity)."""
    found = [Finding(kind, *_given(kind, levels.get(kind.name, (0.0, 0.0)))) for kind in DAMAGES]
    return advise(sorted(found, key=lambda one: -one.probability), TASKS)


def _given(kind: object, odds: tuple[float, float]) -> tuple[float, float]:
    return odds[0], kind.level(odds[1])  # type: ignore[attr-defined]


def test_a_good_photo_is_left_alone() -> None:
    assert "Nothing seems wrong" in describe(advice())


def test_damage_and_plan_are_named() -> None:
    text = describe(advice(blur=(0.8, 0.1), jpeg=(0.95, 0.5)))
    assert "a little blur (probably)" in text
    assert "JPEG compression, of a quality of about 54" in text
    assert text.endswith("Auto would repair the compression, then sharpen.")


def test_steps_are_told_in_the_order_in_which_they_are_done() -> None:
    text = describe(advice(noise=(0.8, 0.9), jpeg=(0.99, 0.5)))
    assert text.endswith("Auto would remove the noise, then repair the compression.")


def test_what_is_not_quite_known_is_named_as_such() -> None:
    text = describe(advice(noise=(0.9, 0.5), blur=(0.5, 0.5)))
    assert text == "This photo seems to have some noise. Auto would undo all of it in one pass."
    text = describe(advice(noise=(0.5, 0.5), blur=(0.5, 0.5)))
    assert "some damage, though it is not clear which. Auto would undo all of it in one pass." in text


@pytest.mark.parametrize("task", TASKS)
def test_every_step_has_words(task: str) -> None:
    kind = next(kind for kind in DAMAGES if UNDOES[kind] == task)
    assert task not in describe(advice(**{kind.name: (0.9, 0.5)})).split("Auto would")[1]


def test_the_command_line_says_all_that_matters() -> None:
    options = RestoreOptions("sr", 3, 0.5)
    assert command_line("it's.jpg", options) == "adair restore 'it'\"'\"'s.jpg' --task sr --scale 3 --strength 0.5"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "1 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (7260, "2 h 1 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
