"""Text becomes passages (what is embedded, searched and cited) and sentences (what the stand-in ranks)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

TARGET_CHARS = 900
"""A passage is closed once it has this much text: about 200 tokens, enough to stand alone in a citation."""
MAX_CHARS = 1400
"""No passage is longer than this; a longer block is cut between sentences, or else between words."""

_HEADING = re.compile(r"(#{1,6}) (.+)")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|Dr|Mr|Ms|Mrs|St|No|Fig|Eq|approx|resp)|\b[A-Z])\.$")
_SENTENCE_END = re.compile(r"""(?<=[.!?])["')\]]?\s+(?=["'(\[]?[A-Z0-9])""")
_NOT_PROSE = ("|", "[!", "> ", "](")
"""What is left of tables, callouts and markup that its document did not declare."""
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class Passage:
    """A piece of a document, in document order."""

    heading: str
    """The headings above it, outermost first, such as `Usage › Timers`; empty before the first."""
    text: str


def split_document(text: str) -> list[Passage]:
    """Passages of about TARGET_CHARS that never cross a heading; the same ones every time."""
    passages: list[Passage] = []
    trail: list[tuple[int, str]] = []
    held: list[str] = []

    def close() -> None:
        if held:
            passages.append(Passage(" › ".join(title for _, title in trail), "\n\n".join(held)))
            held.clear()

    for block in text.split("\n\n"):
        heading = _HEADING.fullmatch(block)
        if heading:
            close()
            level = len(heading.group(1))
            trail = [above for above in trail if above[0] < level] + [(level, heading.group(2))]
            continue
        for piece in _cut(block):
            size = sum(len(part) + 2 for part in held)  # with the blank line after each
            if size >= TARGET_CHARS or size + len(piece) > MAX_CHARS:
                close()
            held.append(piece)
    close()
    return passages


def sentences(text: str) -> list[str]:
    """The sentences of running text, in order: no code, no fragments, nothing that is mostly symbols."""
    return [
        sentence
        for block in text.split("\n\n")
        if not block.startswith("    ")
        for sentence in _sentences_of_block(block.removeprefix("- "))
        if _reads_as_prose(sentence)
    ]


def _sentences_of_block(block: str) -> Iterator[str]:
    start = 0
    for end in _SENTENCE_END.finditer(block):
        candidate = block[start : end.end()].strip()
        if not _ABBREVIATION.search(candidate):
            yield candidate
            start = end.end()
    rest = block[start:].strip()
    if rest:
        yield rest


def _reads_as_prose(sentence: str) -> bool:
    words = _WORD.findall(sentence)
    letters = sum(len(word) for word in words)
    return (
        40 <= len(sentence) <= 320
        and len(words) >= 6
        and letters >= 0.65 * len(sentence)
        and sentence[-1] in ".!?)\"'"
        and not any(mark in sentence for mark in _NOT_PROSE)
    )


def _cut(block: str) -> Iterator[str]:
    """A block in pieces of at most MAX_CHARS: lines of code stay whole where they can, as do sentences."""
    if len(block) <= MAX_CHARS:
        yield block
        return
    code = block.startswith("    ")
    parts, glue = (block.split("\n"), "\n") if code else (list(_sentences_of_block(block)), " ")
    held = ""
    for part in parts:
        for piece in _cut_words(part):
            joined = held + glue + piece if held else piece
            if len(joined) > MAX_CHARS:
                yield held
                joined = piece
            held = joined
    if held:
        yield held


def _cut_words(part: str) -> Iterator[str]:
    while len(part) > MAX_CHARS:
        space = part.rfind(" ", 1, MAX_CHARS)
        at = space if space > MAX_CHARS // 2 else MAX_CHARS
        yield part[:at]
        part = part[at:].lstrip(" ")
    if part:
        yield part
