"""List filters as tokens: names, keywords, literals, operators; comments left out."""

from __future__ import annotations

import enum
import math
import re
from typing import Final, NamedTuple

from outlive.errors import InvalidArgument

LENGTH_MAX: Final = 500_000  # characters: room for IN with 40,000 values, and parsed within a second

_CONDITION_WORDS: Final = ("AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "TRUE", "FALSE", "STARTS_WITH")
KEYWORDS: Final = frozenset((*_CONDITION_WORDS, "GROUP", "ORDER", "BY", "HAVING", "LIMIT"))


class FilterError(InvalidArgument):
    """A list filter that is malformed or does not fit its attributes.

    `position` counts characters from 1; one past the end stands for the end. `token` is the text there.
    """

    def __init__(self, reason: str, position: int, token: str) -> None:
        shown = token if len(token) <= 60 else token[:57] + "..."
        place = f"at position {position}, near {shown!r}" if token else f"at position {position}, the end"
        super().__init__(f"invalid query: {reason} ({place})")
        self.position = position
        self.token = token


class Kind(enum.Enum):
    """Of a token."""

    NAME = "name"
    KEYWORD = "keyword"
    STRING = "string"
    NUMBER = "number"
    SYMBOL = "symbol"
    END = "end"


class Token(NamedTuple):
    """`text` is as written; `value` what it stands for: a name or keyword (upper case), a literal's value."""

    kind: Kind
    text: str
    value: str | int | float
    position: int

    def error(self, reason: str) -> FilterError:
        return FilterError(reason, self.position, self.text)


_TOKEN = re.compile(
    r"""
      (?P<space>   [ \t\r\n]+ | (?:--|\#|//)[^\n]* | /\*.*?\*/ )
    | (?P<string>  '(?:[^'\\]|\\.|'')*+' | "(?:[^"\\]|\\.|"")*+" )
    | (?P<quoted>  `[^`]+` )
    | (?P<number>  (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z0-9_@.]) )
    | (?P<word>    [A-Za-z_@][A-Za-z0-9_@]* )
    | (?P<symbol>  <=|>=|!=|<>|&&|\|\||[=<>(),;+-] )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r"\\(.)|(['\"])\2", re.DOTALL)
_ESCAPES_KEPT: Final = "0bnrtZ\\"
_SYNONYMS: Final = {"&&": "AND", "||": "OR"}


def tokenize(text: str) -> list[Token]:
    """The tokens of a filter, with an END token last. Raises FilterError at what is none."""
    if len(text) > LENGTH_MAX:
        raise FilterError(f"longer than {LENGTH_MAX} characters", LENGTH_MAX + 1, text[LENGTH_MAX:])
    if "\0" in text:
        raise FilterError("unexpected NUL character", text.index("\0") + 1, "\0")
    tokens = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _no_token(text, place)
        if match.lastgroup != "space":
            tokens.append(_token(match.lastgroup or "", match[0], place + 1))
        place = match.end()
    tokens.append(Token(Kind.END, "", "", len(text) + 1))
    return tokens


def _token(group: str, written: str, position: int) -> Token:
    if group == "string":
        return Token(Kind.STRING, written, unquote(written), position)
    if group == "quoted":
        return Token(Kind.NAME, written, written[1:-1], position)
    if group == "number":
        return Token(Kind.NUMBER, written, _number(written, position), position)
    if group == "symbol" and written in _SYNONYMS:
        return Token(Kind.KEYWORD, written, _SYNONYMS[written], position)
    if group == "symbol":
        return Token(Kind.SYMBOL, written, "!=" if written == "<>" else written, position)
    if written.upper() in KEYWORDS:
        return Token(Kind.KEYWORD, written, written.upper(), position)
    return Token(Kind.NAME, written, written, position)


def unquote(literal: str) -> str:
    r"""The value of a quoted string.

    A doubled quote and one after a backslash stand for the quote. `\0 \b \n \r \t \Z \\` stay as written,
    backslash included, as in Temporal; before any other character a backslash is dropped.
    """
    quote, body = literal[0], literal[1:-1]

    def replace(match: re.Match[str]) -> str:
        if match[2]:
            return match[2] if match[2] == quote else match[0]
        return match[0] if match[1] in _ESCAPES_KEPT else match[1]

    return _ESCAPE.sub(replace, body)


def _number(written: str, position: int) -> int | float:
    if written.isdigit() and len(written) <= 19 and int(written) < 2**63:
        return int(written)
    value = float(written)
    if math.isinf(value):
        raise FilterError("number out of range", position, written)
    return value


def _no_token(text: str, place: int) -> FilterError:
    character = text[place]
    rest = text[place:]
    if character == "`":
        return FilterError("a name in back-quotes must not be empty and must end with one", place + 1, rest)
    if character in "'\"":
        return FilterError(f"the string that begins here misses its closing {character}", place + 1, rest)
    if rest.startswith("/*"):
        return FilterError("the comment that begins here misses its */", place + 1, rest)
    if character.isdigit():
        token = re.match(r"[\w@.]+", rest)
        return FilterError("malformed number", place + 1, token[0] if token else character)
    return FilterError("unexpected character", place + 1, character)
