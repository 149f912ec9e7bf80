"""Text that others wrote, made safe to look at: escaped, with nothing in it that hides or turns around."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from markupsafe import Markup, escape

# Characters that show nothing and change what is shown: controls (ANSI escapes begin with one), marks that
# turn the direction of text around, and separators that fake a line.
_HIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_TOKEN: Final = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<string>"(?:[^"\\]|\\.)*"?)'
    r"|(?P<number>-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|(?P<word>\b(?:true|false|null)\b)"
)


def visible(text: str) -> Markup:
    """The text, escaped, with every hidden character shown as a marked name: ``ESC``, ``U+202E``."""
    return _join(text, _HIDDEN, lambda found: _hidden(found.group()))


def plain(text: str) -> str:
    """The text with every hidden character named, for where there is no markup: titles and labels."""
    return _HIDDEN.sub(lambda found: _name(found.group()), text)


def camel(text: str) -> Markup:
    """A name of joined words, which may be broken between them: ``ActivityTask<wbr>Scheduled``."""
    return Markup("<wbr>").join(re.sub(r"(?<=[a-z])(?=[A-Z])", "\0", text).split("\0"))


def json_markup(text: str) -> Markup:
    """JSON text, escaped, its keys, strings, numbers and words marked for colour."""
    return _join(text, _TOKEN, lambda found: _token(found.lastgroup or "string", found.group()))


def _hidden(character: str) -> Markup:
    title = unicodedata.name(character, f"control character U+{ord(character):04X}")
    return Markup('<span class="hidden-char" title="{}">{}</span>').format(title, _name(character))


def _name(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else f"U+{code:04X}"


def _token(kind: str, text: str) -> Markup:
    return Markup('<span class="j-{}">{}</span>').format(kind, visible(text))


def _join(text: str, pattern: re.Pattern[str], replace: object) -> Markup:
    assert callable(replace)
    parts: list[Markup] = []
    at = 0
    for found in pattern.finditer(text):
        plain = text[at : found.start()]
        parts.append(escape(plain) if pattern is _HIDDEN else visible(plain))
        parts.append(replace(found))
        at = found.end()
    rest = text[at:]
    parts.append(escape(rest) if pattern is _HIDDEN else visible(rest))
    return Markup("").join(parts)
