"""Conditions of a filter, checked against the attribute that they name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from outlive.core.filter import nodes
from outlive.core.filter.lexer import Token
from outlive.core.filter.nodes import Attribute, Condition, FilterValue, Operator
from outlive.core.filter.scopes import Scope, UnknownAttribute, resolve
from outlive.core.filter.values import STATUS_NAMES, Mismatch, convert
from outlive.core.visibility import BOOL, KEYWORD, KEYWORD_LIST, TEXT, TYPE_NAMES, AttributeTypes

Literal = tuple[Token, FilterValue]

_GROUPABLE: Final = ("ExecutionStatus", "TemporalNamespaceDivision")
_DIVISION: Final = "TemporalNamespaceDivision"


class Conditions:
    """Builds the conditions of one filter. Its methods raise FilterError at the token that is wrong."""

    def __init__(self, types: AttributeTypes, scope: Scope) -> None:
        self.scope = scope
        self.names_division = False
        self._types = types

    def group_by(self, name: Token) -> Attribute:
        attribute, _ = self._resolve(name)
        if attribute.name not in _GROUPABLE:
            raise name.error(f"GROUP BY takes only {' or '.join(_GROUPABLE)}, not {attribute.name}")
        return attribute

    def is_null(self, name: Token, negated: bool) -> Condition:
        attribute, _ = self._resolve(name)
        return nodes.IsNull(attribute, negated)

    def compare(self, name: Token, operator: Operator, symbol: Token, literal: Literal) -> Condition:
        attribute, prefix = self._resolve(name)
        if operator not in (Operator.EQ, Operator.NE) and attribute.kind in (TEXT, KEYWORD_LIST):
            raise self._no_operator(symbol, attribute)
        value = self._value(attribute, prefix, literal)
        condition = nodes.Compare(attribute, operator, value)
        return self._status(attribute, condition, _comparison(operator, value))

    def is_in(self, name: Token, keyword: Token, literals: Sequence[Literal], negated: bool) -> Condition:
        attribute, prefix = self._resolve(name)
        if attribute.kind == TEXT:
            raise self._no_operator(keyword, attribute)
        values = tuple(dict.fromkeys(self._value(attribute, prefix, literal) for literal in literals))
        return self._status(attribute, nodes.In(attribute, values, negated), lambda name: (name in values) != negated)

    def between(self, name: Token, keyword: Token, low: Literal, high: Literal, negated: bool) -> Condition:
        attribute, prefix = self._resolve(name)
        if attribute.kind in (TEXT, KEYWORD_LIST, BOOL):
            raise self._no_operator(keyword, attribute)
        first, last = self._value(attribute, prefix, low), self._value(attribute, prefix, high)
        return self._status(
            attribute,
            nodes.Between(attribute, first, last, negated),
            lambda name: (str(first) <= name <= str(last)) != negated,
        )

    def starts_with(self, name: Token, keyword: Token, literal: Literal, negated: bool) -> Condition:
        attribute, prefix = self._resolve(name)
        is_status = attribute.name == "ExecutionStatus"
        if attribute.kind != KEYWORD or (is_status and not self.scope.status_is_text):
            raise self._no_operator(keyword, attribute)
        start = str(self._value(attribute, prefix, literal))
        return self._status(
            attribute,
            nodes.StartsWith(attribute, start, negated),
            lambda name: name.lower().startswith(start.lower()) != negated,
        )

    def _resolve(self, name: Token) -> tuple[Attribute, str]:
        try:
            attribute, prefix = resolve(str(name.value), self._types, self.scope)
        except UnknownAttribute as unknown:
            raise name.error(str(unknown)) from None
        self.names_division |= attribute.name == _DIVISION
        return attribute, prefix

    def _value(self, attribute: Attribute, prefix: str, literal: Literal) -> FilterValue:
        token, value = literal
        try:
            converted = convert(attribute, value, status_is_text=self.scope.status_is_text)
        except Mismatch as mismatch:
            raise token.error(str(mismatch)) from None
        return prefix + str(converted) if prefix else converted

    def _status(self, attribute: Attribute, condition: Condition, holds: Callable[[str], bool]) -> Condition:
        """Where the status is text, the condition becomes one on the numbers of the names that meet it."""
        if attribute.name != "ExecutionStatus" or not self.scope.status_is_text:
            return condition
        return nodes.In(attribute, tuple(number for number, name in STATUS_NAMES.items() if holds(name)))

    def _no_operator(self, token: Token, attribute: Attribute) -> Exception:
        kind = TYPE_NAMES[attribute.kind]
        return token.error(f"operator {token.text} does not work on {attribute.name}, a {kind}")


def _comparison(operator: Operator, value: FilterValue) -> Callable[[str], bool]:
    """The comparison of a text with a text value."""
    right = str(value)
    return {
        Operator.EQ: lambda left: left == right,
        Operator.NE: lambda left: left != right,
        Operator.LT: lambda left: left < right,
        Operator.LE: lambda left: left <= right,
        Operator.GT: lambda left: left > right,
        Operator.GE: lambda left: left >= right,
    }[operator]
