"""Markup becomes plain text with just enough shape left: headings, lists, and indented code.

HTML is the meeting point: Markdown and reStructuredText are rendered to HTML by their own libraries and
read back by the same parser, so that images, badges, scripts and styles vanish everywhere in one place.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

_SILENT = frozenset({"script", "style", "template", "noscript", "svg", "math", "nav", "form", "button", "head"})
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_SPACE = re.compile(r"\s+")
_REST_SETTINGS: dict[str, object] = {
    "file_insertion_enabled": False,  # a document must not read files of the machine that reads it
    "raw_enabled": False,
    "report_level": 5,  # unknown Sphinx roles and directives are common and harmless here
    "halt_level": 6,
    "initial_header_level": 1,
    "doctitle_xform": False,
    "syntax_highlight": "none",
    "embed_stylesheet": False,
    "smart_quotes": False,
}


class _TextOfHtml(HTMLParser):
    """Collects blocks of text; one instance reads one page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self._blocks: list[str] = []
        self._line: list[str] = []
        self._prefix = ""
        self._silent = 0
        self._code = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        elif tag in _SILENT:
            self._silent += 1
        elif tag == "br":
            self._line.append("\n" if self._code else " ")
        elif tag == "pre":
            self._end_block()
            self._code += 1
        elif tag in _HEADINGS:
            self._end_block()
            self._prefix = "#" * int(tag[1]) + " "
        elif tag == "li":
            self._end_block()
            self._prefix = "- "
        elif tag in _BLOCKS and not (tag == "p" and self._prefix and not self._line):
            self._end_block()

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "pre":
            self._end_block()
            self._code = max(0, self._code - 1)
        elif tag in _HEADINGS or tag in _BLOCKS:
            self._end_block()

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif not self._silent:
            self._line.append(data)

    def text(self) -> str:
        """The blocks read so far, a blank line between each."""
        self._end_block()
        return "\n\n".join(self._blocks)

    def _end_block(self) -> None:
        raw, self._line = "".join(self._line), []
        prefix, self._prefix = self._prefix, ""
        if self._code:
            lines = raw.expandtabs(4).strip("\n").splitlines()
            code = "\n".join("    " + line.rstrip() for line in lines if line.strip())
            if code:
                self._blocks.append(code)
            return
        block = _SPACE.sub(" ", raw).strip()
        if block:
            self._blocks.append(prefix + block)


def text_of_html(page: str) -> tuple[str, str]:
    """The title (may be empty) and the readable text of an HTML page or fragment."""
    parser = _TextOfHtml()
    parser.feed(page)
    parser.close()
    return _SPACE.sub(" ", parser.title).strip(), parser.text()


def text_of_markdown(source: str) -> str:
    """The readable text of CommonMark, with the tables that GitHub and PyPI render."""
    from markdown_it import MarkdownIt

    return text_of_html(MarkdownIt("commonmark").enable("table").render(source))[1]


def text_of_restructured_text(source: str) -> str:
    """The readable text of reStructuredText; directives that docutils does not know are left out."""
    from docutils.core import publish_parts

    parts = publish_parts(source, writer="html5", settings_overrides=_REST_SETTINGS)
    page = re.sub(r'<aside class="system-message.*?</aside>', "", str(parts["body"]), flags=re.DOTALL)
    return text_of_html(page)[1]


def text_of_plain(source: str) -> str:
    """Plain text with its hard line breaks undone: one line a paragraph; indented blocks stay as they are."""
    blocks = []
    for block in re.split(r"\n\s*\n", source.replace("\r\n", "\n").expandtabs(4)):
        lines = [line.rstrip() for line in block.splitlines() if line.strip()]
        if lines and all(line.startswith("    ") for line in lines):
            blocks.append("\n".join(lines))
        elif lines:
            blocks.append(_SPACE.sub(" ", " ".join(lines)).strip())
    return "\n\n".join(blocks)
