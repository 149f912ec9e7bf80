"""The grammar of list filters: a WHERE clause in the manner of MySQL, as Temporal takes it.

filter     = [or] ["GROUP BY" name] ["HAVING" anything] [";"]
or         = and {("OR" | "||") and}
and        = not {("AND" | "&&") not}
not        = "NOT" not | "(" or ")" | condition
condition  = name operator literal | name ["NOT"] "IN" "(" literal {"," literal} ")"
           | name ["NOT"] "BETWEEN" literal "AND" literal | name ["NOT"] "STARTS_WITH" literal
           | name "IS" ["NOT"] "NULL"
"""

from __future__ import annotations

from typing import Final, NoReturn

from outlive.core.filter.conditions import Conditions
from outlive.core.filter.lexer import Kind, Token, tokenize
from outlive.core.filter.nodes import And, Condition, FilterValue, Node, Not, Operator, Or, ParsedFilter
from outlive.core.filter.scopes import WORKFLOWS, Scope
from outlive.core.visibility import AttributeTypes

DEPTH_MAX: Final = 199  # of parentheses and NOTs within each other, as Temporal's
CONDITIONS_MAX: Final = 995  # in one filter: the longest chain of ORs that Temporal takes

_OPERATORS: Final = {operator.value: operator for operator in Operator}
_UNSUPPORTED: Final = frozenset(("LIKE", "REGEXP", "RLIKE", "XOR", "DIV", "ISNULL", "CONTAINS", "ENDS_WITH"))


def parse_filter(text: str, types: AttributeTypes, scope: Scope = WORKFLOWS) -> ParsedFilter:
    """A list filter (`query` of ListWorkflowExecutions and its kin), checked against the attributes.

    `types` has every attribute of the namespace: system, predefined and custom ones. An empty filter
    selects all. Raises FilterError (INVALID_ARGUMENT), which names the position and the token.
    """
    if not text.strip():
        return ParsedFilter(division=scope.division)
    return Parser(tokenize(text), Conditions(types, scope)).filter()


class Parser:
    """Recursive descent over the tokens of one filter."""

    def __init__(self, tokens: list[Token], conditions: Conditions) -> None:
        self._tokens = tokens
        self._next = 0
        self._conditions = conditions
        self._depth = 0
        self._count = 0

    # ---- tokens ----

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> Token:
        token = self._token
        self._next += token.kind is not Kind.END
        return token

    def _take(self, *values: str) -> Token | None:
        """The next token if it is one of these keywords or symbols."""
        token = self._token
        if token.kind in (Kind.KEYWORD, Kind.SYMBOL) and token.value in values:
            return self._advance()
        return None

    def _expect(self, value: str, reason: str) -> Token:
        return self._take(value) or self._fail(reason)

    def _fail(self, reason: str) -> NoReturn:
        token = self._token
        if token.kind is Kind.NAME and str(token.value).upper() in _UNSUPPORTED:
            reason = f"operator {token.text} is not supported"
        elif token.kind is Kind.KEYWORD and token.value in ("ORDER", "LIMIT"):
            reason = f"the {'ORDER BY' if token.value == 'ORDER' else 'LIMIT'} clause is not supported"
        raise token.error(reason)

    # ---- clauses ----

    def filter(self) -> ParsedFilter:
        where = None
        if not self._at("GROUP"):
            where = self._or()
        group_by = None
        if self._take("GROUP"):
            self._expect("BY", "expected BY")
            group_by = self._conditions.group_by(self._name())
            if self._at(","):
                self._fail("GROUP BY takes one attribute")
        if self._take("HAVING"):
            self._skip_having()
        self._take(";")
        if self._token.kind is not Kind.END:
            self._fail("expected AND, OR or the end")
        scope = self._conditions.scope
        return ParsedFilter(where, group_by, scope.division, self._conditions.names_division)

    def _at(self, value: str) -> bool:
        return self._token.kind in (Kind.KEYWORD, Kind.SYMBOL) and self._token.value == value

    def _skip_having(self) -> None:
        """HAVING is taken and has no effect, as in Temporal."""
        start = self._next
        while self._token.kind is not Kind.END and not any(map(self._at, (";", "GROUP", "ORDER", "LIMIT"))):
            self._advance()
        if self._next == start:
            self._fail("expected a condition after HAVING")

    # ---- conditions ----

    def _or(self) -> Node:
        terms = [self._and()]
        while self._take("OR"):
            terms.append(self._and())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _and(self) -> Node:
        terms = [self._not()]
        while self._take("AND"):
            terms.append(self._not())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _not(self) -> Node:
        opening = self._take("NOT", "(")
        if opening is None:
            return self._condition()
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise opening.error(f"more than {DEPTH_MAX} levels of parentheses and NOT")
        if opening.value == "NOT":
            node: Node = Not(self._not())
        else:
            node = self._or()
            self._expect(")", "expected a closing parenthesis")
        self._depth -= 1
        return node

    def _condition(self) -> Condition:
        self._count += 1
        if self._count > CONDITIONS_MAX:
            self._fail(f"more than {CONDITIONS_MAX} conditions")
        name = self._name()
        if self._take("IS"):
            negated = self._take("NOT") is not None
            self._expect("NULL", "IS takes only NULL or NOT NULL")
            return self._conditions.is_null(name, negated)
        symbol = self._take(*_OPERATORS)
        if symbol is not None:
            return self._conditions.compare(name, _OPERATORS[str(symbol.value)], symbol, self._literal())
        negated = self._take("NOT") is not None
        keyword = self._take("IN", "BETWEEN", "STARTS_WITH")
        if keyword is None:
            self._fail("expected an operator")
        if keyword.value == "IN":
            return self._conditions.is_in(name, keyword, self._list(), negated)
        if keyword.value == "STARTS_WITH":
            return self._conditions.starts_with(name, keyword, self._literal(), negated)
        low = self._literal()
        self._expect("AND", "expected AND between the ends of BETWEEN")
        return self._conditions.between(name, keyword, low, self._literal(), negated)

    def _name(self) -> Token:
        if self._token.kind is not Kind.NAME:
            self._fail("expected the name of a search attribute")
        return self._advance()

    def _list(self) -> list[tuple[Token, FilterValue]]:
        self._expect("(", "expected a list in parentheses")
        values = [self._literal()]
        while self._take(","):
            values.append(self._literal())
        self._expect(")", "expected a comma or a closing parenthesis")
        return values

    def _literal(self) -> tuple[Token, FilterValue]:
        """A value, and the token to blame if it does not fit."""
        sign = self._take("+", "-")
        token = self._token
        if token.kind is Kind.NUMBER:
            self._advance()
            assert not isinstance(token.value, str)
            return token, -token.value if sign is not None and sign.value == "-" else token.value
        if sign is None and token.kind is Kind.STRING:
            return self._advance(), str(token.value)
        if sign is None and (boolean := self._take("TRUE", "FALSE")):
            return boolean, boolean.value == "TRUE"
        if token.kind is Kind.NAME:
            self._fail(f'expected a value; to compare with text, write "{token.value}" in quotes')
        if self._at("NULL"):
            self._fail("nothing compares with NULL; write IS NULL or IS NOT NULL")
        self._fail("expected a value")
