"""Text that others wrote, made safe to look at: escaped, with nothing in it that hides or turns around."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from markupsafe import Markup, escape

# Characters that show nothing and change what is shown: controls (ANSI escapes begin with one), marks that
# turn the direction of text around, and separators that fake a line. None of them is part of an escape.
_HIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_TOKEN: Final = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<string>"(?:[^"\\]|\\.)*"?)'
    r"|(?P<number>-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|(?P<word>\b(?:true|false|null)\b)"
)


def visible(text: str) -> Markup:
    """The text, escaped, with every hidden character shown as a marked name: ``ESC``, ``U+202E``."""
    return Markup(_HIDDEN.sub(_marked, str(escape(text))))


def plain(text: str) -> str:
    """The text with every hidden character named, for where there is no markup: titles and labels."""
    return _HIDDEN.sub(lambda found: _name(found.group()), text)


def camel(text: str) -> Markup:
    """A name of joined words, which may be broken between them: ``ActivityTask<wbr>Scheduled``."""
    return Markup(re.sub(r"(?<=[a-z])(?=[A-Z])", "<wbr>", str(visible(text))))


def json_markup(text: str) -> Markup:
    """JSON text, escaped, its keys, strings, numbers and words marked for colour."""
    parts: list[str] = []
    at = 0
    for found in _TOKEN.finditer(text):
        parts.append(visible(text[at : found.start()]))
        parts.append(f'<span class="j-{found.lastgroup}">{visible(found.group())}</span>')
        at = found.end()
    parts.append(visible(text[at:]))
    return Markup("".join(parts))


def _marked(found: re.Match[str]) -> str:
    character = found.group()
    title = unicodedata.name(character, f"control character U+{ord(character):04X}")
    return f'<span class="hidden-char" title="{title}">{_name(character)}</span>'


def _name(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else f"U+{code:04X}"
