"""The recipe language: what it accepts, how it prints, where its errors point."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adair.degradations import OPERATORS, Recipe, parse_recipe
from adair.degradations.nodes import Chain, Maybe, Node, OneOf, Operation, Shuffle
from adair.degradations.operator import Operator
from adair.degradations.values import Choice, Name, Number, Parameter, Range, Value
from adair.errors import AdairError


@st.composite
def values(draw: st.DrawFn, parameter: Parameter) -> Value:
    if parameter.names:
        single: st.SearchStrategy[Number | Name | Range] = st.sampled_from(
            [Name(name, number) for name, number in parameter.names.items()]
        )
    else:
        number = st.floats(parameter.low, parameter.high, allow_nan=False)
        if parameter.whole:
            number = st.integers(int(parameter.low), int(parameter.high)).map(float)
        ends = st.tuples(number, number).map(sorted)
        single = st.one_of(number.map(Number), ends.map(lambda pair: Range(*pair)))
    if draw(st.booleans()):
        return draw(single)
    return Choice(tuple(draw(st.lists(single, min_size=1, max_size=3))))


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    operator: Operator = draw(st.sampled_from(list(OPERATORS.values())))
    given = [(p.name, draw(values(p))) for p in operator.parameters if draw(st.booleans())]
    return Operation(operator, tuple(given))


def inner(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(children, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        several.map(Chain),
        several.map(OneOf),
        st.lists(children, min_size=1, max_size=3).map(tuple).map(Shuffle),
        st.builds(Maybe, children, st.floats(0, 1)),
    )


recipes = st.recursive(operations(), inner, max_leaves=6).map(Recipe)


@given(recipes)
@settings(deadline=None, max_examples=150)
def test_text_and_tree_round_trip(recipe: Recipe) -> None:
    parsed = parse_recipe(str(recipe))
    assert parsed == recipe
    assert hash(parsed) == hash(recipe)
    assert str(parsed) == str(recipe)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("noise", "noise"),
        (" noise( ) ", "noise"),
        ("noise(clip=false,sigma=25.0)", "noise(sigma=25, clip=false)"),
        ("jpeg(quality={ 10,2e1 , 30..40})", "jpeg(quality={10, 20, 30..40})"),
        ("((noise))>blur", "noise > blur"),
        ("noise|blur>jpeg", "noise | blur > jpeg"),
        ("noise > (blur | jpeg)", "noise > (blur | jpeg)"),
        ("(noise > blur)?.5", "(noise > blur)?0.5"),
        ("shuffle(noise?0.25, blur|jpeg)", "shuffle(noise?0.25, blur | jpeg)"),
        ("jpeg(chroma=444)", "jpeg(chroma=444)"),
        ("motion(bend=-0.5..+0.5)", "motion(bend=-0.5..0.5)"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert str(parse_recipe(text)) == canonical


@pytest.mark.parametrize(
    ("text", "character", "problem"),
    [
        ("nois(sigma=25)", 1, 'no operator "nois"; did you mean "noise"?'),
        ("noise > shufle(blur, jpeg)", 9, 'did you mean "shuffle"?'),
        ("noise > xyzzy", 9, "there are: noise, "),
        ("noise(sigm=25)", 7, 'noise has no parameter "sigm"; did you mean "sigma"?'),
        ("noise(sigma 25)", 13, 'expected "=", found "25"'),
        ("noise(sigma=", 13, "expected a number for sigma, found the end"),
        ("noise(sigma=5", 14, 'expected "," or ")", found the end'),
        ("noise(sigma=5,)", 15, "expected a parameter of noise (sigma, clip)"),
        ("noise(sigma=5, sigma=6)", 16, 'parameter "sigma" is given twice'),
        ("noise(sigma=50..3)", 17, "runs backwards; write 3..50"),
        ("noise(sigma=256)", 13, "sigma must be in 0..255, not 256"),
        ("noise(sigma=1e999)", 13, "sigma must be in"),
        ("noise(clip=yes)", 12, 'clip is false or true, not "yes"'),
        ("jpeg(quality=10.5)", 14, "quality must be an integer"),
        ("noise(sigma={1, {2}})", 17, 'expected a number for sigma, found "{"'),
        ("noise?", 7, "expected a probability, found the end"),
        ("noise?1.5", 7, "a probability must be in 0..1"),
        ("noise >", 8, "expected an operator, found the end"),
        ("noise blur", 7, 'expected ">", "|" or the end, found "blur"'),
        ("noise ; blur", 7, "the character ';' has no meaning"),
        ("(noise", 7, 'expected ")"'),
        ("shuffle noise", 9, 'expected "("'),
        ("", 1, "expected an operator, found the end"),
        ("noise(sigma=__import__)", 13, 'expected a number for sigma, found "__import__"'),
        ("(" * 100000, 41, "deeper than 40"),
    ],
)
def test_errors_are_one_line_and_point_at_the_character(text: str, character: int, problem: str) -> None:
    with pytest.raises(AdairError) as caught:
        parse_recipe(text)
    message = str(caught.value)
    assert f"character {character}: " in message
    assert problem in message
    assert "\n" not in message
    assert len(message) < 600


@given(st.text(max_size=40) | st.text(alphabet="noisejpg()>|?,={}.. 0123456789", max_size=40))
@settings(deadline=None, max_examples=200)
def test_any_text_parses_or_is_refused_in_one_line(text: str) -> None:
    try:
        parse_recipe(text)
    except AdairError as error:
        assert "\n" not in str(error)
