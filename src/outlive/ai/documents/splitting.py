"""Documents become passages: what is embedded, searched and cited. A passage is a slice of its document's text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_HEADING = re.compile(r"(#{1,6}) (.+)")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|Dr|Mr|Ms|Mrs|St|No|Fig|Eq|approx|resp)|\b[A-Z])\.$")
_SENTENCE_END = re.compile(r"""(?<=[.!?])["')\]]?\s+(?=["'(\[]?[A-Z0-9])""")
_BLOCK = re.compile(r"\S.*?(?=\n\n|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Splitting:
    """How long passages are, in what `measure` counts: characters, or tokens with a tokenizer's count.

    A passage is closed at `target`, is never longer than `maximum`, never crosses a heading, and begins with at most
    `overlap` of the one before it. `measure` must not shrink as a text grows. Raises ValueError.
    """

    target: int = 900
    maximum: int = 1400
    overlap: int = 0
    measure: Callable[[str], int] = len

    def __post_init__(self) -> None:
        if not 0 < self.target <= self.maximum or not 0 <= self.overlap < self.target:
            raise ValueError("a splitting has 0 < target <= maximum, and 0 <= overlap < target")


@dataclass(frozen=True, slots=True)
class Passage:
    """`document.text[start:end]`, and what to cite it by."""

    number: int
    start: int
    end: int
    text: str
    heading: str = ""
    """The headings above it, outermost first, such as `Usage › Timers`."""
    page: int | None = None
    """The page it begins on, from 1, if the document has pages."""

    @property
    def embedded(self) -> str:
        """The text that is embedded: a passage means more under its headings."""
        return f"{self.heading}\n{self.text}" if self.heading else self.text


class Span(NamedTuple):
    """A slice of a text."""

    start: int
    end: int


def split(text: str, pages: Sequence[int] = (), how: Splitting | None = None) -> list[Passage]:
    """The passages of a text; the same ones every time."""
    how = how or Splitting()
    passages: list[Passage] = []
    for heading, spans in _sections(text):
        for start, end in _joined(text, spans, how):
            page = bisect_right(pages, start) or None if pages else None
            passages.append(Passage(len(passages), start, end, text[start:end], heading, page))
    return passages


def _sections(text: str) -> Iterator[tuple[str, list[Span]]]:
    """The blocks between headings, with the trail of headings above them."""
    trail: list[tuple[int, str]] = []
    held: list[Span] = []
    for found in _BLOCK.finditer(text):
        heading = _HEADING.fullmatch(found.group().rstrip())
        if heading is None:
            start = found.start()
            while start and text[start - 1] == " ":  # the indent of code belongs to it
                start -= 1
            held.append(Span(start, found.start() + len(found.group().rstrip())))
            continue
        if held:
            yield _trail(trail), held
            held = []
        level = len(heading.group(1))
        trail = [above for above in trail if above[0] < level] + [(level, heading.group(2))]
    if held:
        yield _trail(trail), held


def _trail(trail: list[tuple[int, str]]) -> str:
    return " › ".join(title for _, title in trail)


def _joined(text: str, blocks: Sequence[Span], how: Splitting) -> Iterator[Span]:
    """Spans of about `target`, made of whole units."""
    held: list[Span] = []
    new = False  # whether there is more in `held` than what overlaps
    for block in blocks:
        for unit in _units(text, block, how):
            if held and _size(text, held[0].start, unit.end, how) > how.maximum:
                if new:
                    yield Span(held[0].start, held[-1].end)
                held = _overlap(text, held, unit, how)
            held.append(unit)
            new = True
            if _size(text, held[0].start, unit.end, how) >= how.target:
                yield Span(held[0].start, unit.end)
                held = _overlap(text, held, None, how)
                new = False
    if new:
        yield Span(held[0].start, held[-1].end)


def _overlap(text: str, held: list[Span], following: Span | None, how: Splitting) -> list[Span]:
    """The last units of a passage that the next one begins with: they leave room for what follows."""
    kept: list[Span] = []
    for unit in reversed(held):
        if _size(text, unit.start, held[-1].end, how) > how.overlap:
            break
        if following and _size(text, unit.start, following.end, how) > how.maximum:
            break
        kept.insert(0, unit)
    return kept


def _units(text: str, block: Span, how: Splitting) -> Iterator[Span]:
    """A block whole if it fits and nothing is to overlap; else its lines of code or sentences, each cut to fit."""
    if not how.overlap and _size(text, *block, how) <= how.maximum:
        yield block
        return
    code = text.startswith("    ", block.start)
    for part in _lines(text, block) if code else sentence_spans(text, block.start, block.end):
        yield from _fitted(text, part, how)


def _lines(text: str, block: Span) -> Iterator[Span]:
    at = block.start
    for line in text[block.start : block.end].splitlines(keepends=True):
        if line.strip():
            yield Span(at, at + len(line.rstrip("\n")))
        at += len(line)


def sentence_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """The sentences of running text, without the space between them."""
    for found in _SENTENCE_END.finditer(text, start, end):
        sentence = text[start : found.end()].rstrip()
        if not _ABBREVIATION.search(sentence):
            yield Span(start, start + len(sentence))
            start = found.end()
    if text[start:end].strip():
        yield Span(start, end)


def _fitted(text: str, part: Span, how: Splitting) -> Iterator[Span]:
    """The part, cut between words where it is too long, else anywhere."""
    start, end = part
    while _size(text, start, end, how) > how.maximum:
        if text[start].isspace():
            start += 1
            continue
        low, high = start + 1, end - 1  # the longest that fits; one character always goes
        while low < high:
            middle = (low + high + 1) // 2
            if _size(text, start, middle, how) <= how.maximum:
                low = middle
            else:
                high = middle - 1
        space = text.rfind(" ", start + 1, low + 1)
        at = space if space > (start + low) // 2 else low
        yield Span(start, at)
        start = at
        while start < end and text[start].isspace():
            start += 1
    if start < end:
        yield Span(start, end)


def _size(text: str, start: int, end: int, how: Splitting) -> int:
    return end - start if how.measure is len else how.measure(text[start:end])
