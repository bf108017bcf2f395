"""Parses the text of a recipe. Nothing is evaluated; errors point at the character.

recipe   = chain { "|" chain }                     one of the chains
chain    = part { ">" part }                       one after the other
part     = ( operator | group ) [ "?" number ]     with that probability
group    = "(" recipe ")" | "shuffle" "(" recipe { "," recipe } ")"
operator = name [ "(" [ name "=" value { "," name "=" value } ] ")" ]
value    = single | "{" single { "," single } "}"  one of the values
single   = number [ ".." number ] | name
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, NoReturn

from adair.degradations.nodes import Chain, Maybe, Node, OneOf, Operation, Shuffle
from adair.degradations.operator import Operator
from adair.degradations.values import Choice, Name, Number, Parameter, Range, Value
from adair.errors import AdairError

_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<sign>\.\.|[>|?(),={}])"
)
_SHUFFLE = "shuffle"
_DEEPEST = 40  # groups inside groups; far more than anyone writes, far less than Python's stack


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class Parser:
    """One pass over one text; ``parse`` returns the tree."""

    def __init__(self, text: str, operators: Mapping[str, Operator]) -> None:
        self.text = text
        self.operators = operators
        self.tokens = self._scan()
        self.next = 0
        self.depth = 0

    def parse(self) -> Node:
        node = self._one_of()
        if self._peek().kind != "end":
            self._fail(f'expected ">", "|" or the end, found "{self._peek().text}"')
        return node

    def _one_of(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            self._fail(f"groups nest deeper than {_DEEPEST}")
        options = [self._chain()]
        while self._take("|"):
            options.append(self._chain())
        self.depth -= 1
        return options[0] if len(options) == 1 else OneOf(tuple(options))

    def _chain(self) -> Node:
        parts = [self._part()]
        while self._take(">"):
            parts.append(self._part())
        return parts[0] if len(parts) == 1 else Chain(tuple(parts))

    def _part(self) -> Node:
        node = self._group_or_operator()
        if self._take("?"):
            token = self._number("a probability")
            if not 0.0 <= float(token.text) <= 1.0:
                self._fail(f"a probability must be in 0..1, not {token.text}", token.at)
            node = Maybe(node, float(token.text))
        return node

    def _group_or_operator(self) -> Node:
        if self._take("("):
            node = self._one_of()
            self._expect(")")
            return node
        token = self._peek()
        if token.kind != "name":
            self._fail(f"expected an operator, found {self._found(token)}")
        self.next += 1
        if token.text != _SHUFFLE:
            return self._operation(token)
        self._expect("(")
        members = [self._one_of()]
        while self._take(","):
            members.append(self._one_of())
        self._expect(")")
        return Shuffle(tuple(members))

    def _operation(self, token: _Token) -> Node:
        operator = self.operators.get(token.text)
        if operator is None:
            self._fail(f'no operator "{token.text}"{_hint(token.text, [*self.operators, _SHUFFLE])}', token.at)
        given: dict[str, Value] = {}
        if self._take("(") and not self._take(")"):
            while True:
                name, value = self._assignment(operator, given)
                given[name] = value
                if self._take(")"):
                    break
                if not self._take(","):
                    self._fail(f'expected "," or ")", found {self._found(self._peek())}')
        return Operation(operator, tuple((p.name, given[p.name]) for p in operator.parameters if p.name in given))

    def _assignment(self, operator: Operator, given: Mapping[str, Value]) -> tuple[str, Value]:
        token = self._peek()
        names = [p.name for p in operator.parameters]
        if token.kind != "name":
            self._fail(f"expected a parameter of {operator.name} ({', '.join(names)}), found {self._found(token)}")
        if token.text not in names:
            self._fail(f'{operator.name} has no parameter "{token.text}"{_hint(token.text, names)}')
        if token.text in given:
            self._fail(f'parameter "{token.text}" is given twice')
        self.next += 1
        self._expect("=")
        return token.text, self._value(operator.parameters[names.index(token.text)])

    def _value(self, parameter: Parameter) -> Value:
        if not self._take("{"):
            return self._single(parameter)
        options = [self._single(parameter)]
        while self._take(","):
            options.append(self._single(parameter))
        self._expect("}")
        return Choice(tuple(options))

    def _single(self, parameter: Parameter) -> Number | Name | Range:
        token = self._peek()
        if parameter.names:
            if token.text not in parameter.names:
                self._fail(f"{parameter.name} is {' or '.join(parameter.names)}, not {self._found(token)}")
            self.next += 1
            return Name(token.text, parameter.names[token.text])
        low = self._bounded(parameter)
        if not self._take(".."):
            return Number(low)
        at = self._peek().at
        high = self._bounded(parameter)
        if high < low:
            self._fail(f"the range {low:g}..{high:g} runs backwards; write {high:g}..{low:g}", at)
        return Range(low, high)

    def _bounded(self, parameter: Parameter) -> float:
        token = self._number(f"a number for {parameter.name}")
        number = float(token.text)
        if not parameter.low <= number <= parameter.high:
            allowed = f"{parameter.low:g}..{parameter.high:g}"
            self._fail(f"{parameter.name} must be in {allowed}, not {token.text}", token.at)
        if parameter.whole and not number.is_integer():
            self._fail(f"{parameter.name} must be an integer, not {token.text}", token.at)
        return number

    def _number(self, what: str) -> _Token:
        token = self._peek()
        if token.kind != "number":
            self._fail(f"expected {what}, found {self._found(token)}")
        self.next += 1
        return token

    def _scan(self) -> list[_Token]:
        tokens, at = [], 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                self._fail(f"the character {self.text[at]!r} has no meaning here", at)
            if match.lastgroup != "space":
                tokens.append(_Token(str(match.lastgroup), match.group(), at))
            at = match.end()
        return [*tokens, _Token("end", "", len(self.text))]

    def _peek(self) -> _Token:
        return self.tokens[self.next]

    def _take(self, sign: str) -> bool:
        token = self._peek()
        if token.kind != "sign" or token.text != sign:
            return False
        self.next += 1
        return True

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            self._fail(f'expected "{sign}", found {self._found(self._peek())}')

    @staticmethod
    def _found(token: _Token) -> str:
        return "the end" if token.kind == "end" else f'"{token.text}"'

    def _fail(self, problem: str, at: int | None = None) -> NoReturn:
        place = self._peek().at if at is None else at
        text = self.text if len(self.text) <= 200 else self.text[:200] + "..."
        raise AdairError(f"recipe {' '.join(text.split())!r}, character {place + 1}: {problem}")


def _hint(wrong: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(wrong.lower(), known, n=1)
    return f'; did you mean "{close[0]}"?' if close else f" (there are: {', '.join(known)})"
