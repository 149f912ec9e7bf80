"""Markdown that others wrote, as markup that cannot do anything: no HTML of theirs, no images, no odd addresses."""

from __future__ import annotations

from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup

from outlive.web import text

_PARSER: Final = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["table", "strikethrough"])
    .disable(["image", "html_inline", "html_block"])
)
_SAFE: Final = ("http://", "https://", "mailto:")


def _valid(url: str) -> bool:
    return url.strip().lower().startswith(_SAFE)


_PARSER.validateLink = _valid  # type: ignore[method-assign]


def markdown(source: str) -> Markup:
    """The text as markup. Hidden characters are named first, so that nothing turns the direction of writing."""
    return Markup(_PARSER.render(text.plain(source)).replace("<a href=", '<a rel="noreferrer nofollow" href='))
