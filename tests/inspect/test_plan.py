"""From findings to adapters."""

from __future__ import annotations

import pytest

from adair.errors import AdairError
from adair.inspect import MIXTURE, Finding, RestorationPlan, add_found, advise
from adair.tasks import DAMAGES, UNDOES, Damage

TASKS = ("deblur", "dejpeg", "denoise", "derain", "sr")


def findings(**chances: float) -> tuple[Finding, ...]:
    """Findings with these probabilities (0.01 for kinds that are not named), severity 0.4."""
    found = [Finding(kind, chances.get(kind.name, 0.01), kind.level(0.4)) for kind in DAMAGES]
    return tuple(sorted(found, key=lambda finding: -finding.probability))


def test_nothing_found_nothing_done() -> None:
    advice = advise(findings(), TASKS)
    assert advice.plan == () and advice.damage == () and advice.main is None
    assert str(advice) == "nothing to do (no damage found)"


@pytest.mark.parametrize("known", DAMAGES, ids=lambda known: known.name)
def test_one_damage_one_adapter(known: Damage) -> None:
    advice = advise(findings(**{known.name: 0.7}), TASKS)
    assert advice.plan == ({UNDOES[known]: 1.0},)
    assert advice.main is not None and advice.main.damage is known
    assert str(advice).startswith(f"{UNDOES[known]} ({known.name} ")
    assert advise(findings(**{known.name: 0.65}), TASKS).plan == ()


def test_a_damage_without_its_adapter_is_reported_and_left() -> None:
    advice = advise(findings(rain=0.9), ["denoise", "scanner"])
    assert advice.plan == () and advice.main is not None and advice.main.damage.name == "rain"


def test_no_adapter_for_anything_is_an_error() -> None:
    with pytest.raises(AdairError, match="chooses among derain, deblur, sr, denoise, dejpeg, but no adapter"):
        advise(findings(), ["scanner"])


def test_the_last_damage_is_undone_first() -> None:
    """Rain fell before the sensor added noise, whichever of the two is surer."""
    for chances in ({"rain": 0.95, "noise": 0.8}, {"rain": 0.9, "noise": 0.95}):
        advice = advise(findings(**chances), TASKS)
        assert advice.plan == ({"denoise": 1.0}, {"derain": 1.0})
    assert advise(findings(rain=0.9, blur=0.8, jpeg=0.75), TASKS).plan == (
        {"dejpeg": 1.0},
        {"deblur": 1.0},
        {"derain": 1.0},
    )


def test_noise_goes_before_the_jpeg_that_it_is_in() -> None:
    advice = advise(findings(noise=0.8, jpeg=0.9, blur=0.75), TASKS)
    assert advice.plan == ({"denoise": 1.0}, {"dejpeg": 1.0}, {"deblur": 1.0})
    assert str(advice).startswith("denoise then dejpeg then deblur (jpeg ")


@pytest.mark.parametrize(("blur", "resize", "task"), [(0.9, 0.8, "deblur"), (0.8, 0.9, "sr")])
def test_of_blur_and_enlargement_the_more_probable_is_undone(blur: float, resize: float, task: str) -> None:
    assert advise(findings(blur=blur, resize=resize), TASKS).plan == ({task: 1.0},)
    assert len(advise(findings(blur=blur, resize=resize), TASKS).damage) == 2


@pytest.mark.parametrize(
    ("chances", "plan"),
    [
        ({"noise": 1.0, "rain": 0.29}, ({"denoise": 1.0},)),
        ({"noise": 1.0, "rain": 0.3}, MIXTURE),
        ({"noise": 1.0, "blur": 0.2, "resize": 0.2}, MIXTURE),  # soft in any case
        ({"blur": 0.8, "resize": 0.6}, ({"deblur": 1.0},)),  # the same softness
        ({"noise": 1.0, "jpeg": 0.8, "blur": 0.5}, MIXTURE),
        ({"jpeg": 0.5, "noise": 0.45}, MIXTURE),  # it is certain that there is something
        ({"jpeg": 0.4, "noise": 0.45}, ()),
    ],
)
def test_more_damage_suspected_than_certain_is_left_to_the_foundation(
    chances: dict[str, float], plan: RestorationPlan
) -> None:
    assert advise(findings(**chances), TASKS).plan == plan
    assert advise(findings(**chances), TASKS, again=True).plan != MIXTURE  # a mere suspicion adds no step


def test_the_foundation_is_named() -> None:
    assert str(advise(findings(noise=1.0, rain=0.3), TASKS)).startswith("foundation (noise ")
    assert str(advise(findings(noise=0.5, rain=0.5), TASKS)) == "foundation (some damage, not clear which)"


def test_suspected_damage_without_an_adapter_does_not_count() -> None:
    assert advise(findings(noise=1.0, rain=0.5), ["denoise"]).plan == ({"denoise": 1.0},)
    assert advise(findings(noise=0.5, rain=0.5), ["denoise"]).plan == ()


DENOISE, DEJPEG, DEBLUR, SR, DERAIN = ({task: 1.0} for task in ("denoise", "dejpeg", "deblur", "sr", "derain"))


@pytest.mark.parametrize(
    ("plan", "found", "done", "expected"),
    [
        ((), (DERAIN,), (DENOISE,), (DERAIN,)),  # noise hid the rain
        ((), (DENOISE,), (DENOISE,), ()),  # once is enough
        ((DERAIN,), (DEBLUR,), (DENOISE,), (DEBLUR, DERAIN)),
        ((DEBLUR,), (), (DENOISE,), (DEBLUR,)),  # what was found before stays,
        ((DEBLUR,), (SR,), (DENOISE,), (DEBLUR,)),  # and with it the choice between what looks alike
        ((), (DEBLUR,), (DENOISE, SR), ()),
        ((), (DEBLUR,), MIXTURE, ()),  # the foundation undid all that it could
    ],
)
def test_another_look_adds_what_was_hidden(
    plan: RestorationPlan, found: RestorationPlan, done: RestorationPlan, expected: RestorationPlan
) -> None:
    assert add_found(plan, found, done) == expected
