"""What a list filter means: a tree of conditions whose names and values have been checked.

Values are as `outlive.core.visibility.IndexedValue` has them: an ExecutionStatus is its number, a Datetime
nanoseconds since the epoch, an ExecutionDuration nanoseconds. Conditions follow SQL's three-valued logic:
one on a null is neither true nor false, and NOT leaves it so. Text and KeywordList are the exception: there
a null is like a value that has none of the words.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from temporalio.api.enums.v1 import IndexedValueType

FilterValue = str | int | float | bool


class Operator(enum.Enum):
    """A comparison. Keywords compare byte by byte; a KeywordList knows only = and !=, and ignores case."""

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


@dataclass(frozen=True, slots=True)
class Attribute:
    """A search attribute by its canonical name."""

    name: str
    kind: IndexedValueType.ValueType


@dataclass(frozen=True, slots=True)
class Compare:
    """`attribute operator value`. On a Text: has any (=) or none (!=) of the words."""

    attribute: Attribute
    operator: Operator
    value: FilterValue


@dataclass(frozen=True, slots=True)
class In:
    """`attribute [NOT] IN (values)`. Without values it is never true."""

    attribute: Attribute
    values: tuple[FilterValue, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """`attribute [NOT] BETWEEN low AND high`, ends included."""

    attribute: Attribute
    low: FilterValue
    high: FilterValue
    negated: bool = False


@dataclass(frozen=True, slots=True)
class StartsWith:
    """`attribute [NOT] STARTS_WITH prefix`; the case of ASCII letters does not count."""

    attribute: Attribute
    prefix: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IsNull:
    """`attribute IS [NOT] NULL`."""

    attribute: Attribute
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT term`."""

    term: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more terms."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more terms."""

    terms: tuple[Node, ...]


Condition = Compare | In | Between | StartsWith | IsNull
Node = Condition | Not | And | Or


@dataclass(frozen=True, slots=True)
class ParsedFilter:
    """A list filter, parsed and checked.

    `division` is the namespace division to which the rows belong: None for workflows. It applies unless
    the filter names TemporalNamespaceDivision itself (`names_division`).
    """

    where: Node | None = None
    group_by: Attribute | None = None  # for counts; lists ignore it
    division: str | None = None
    names_division: bool = False
