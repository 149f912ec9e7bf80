"""The sentences of a text: what the stand-in ranks."""

from __future__ import annotations

import re

from outlive.ai.documents.splitting import sentence_spans

_NOT_PROSE = ("|", "[!", "> ", "](")
"""What is left of tables, callouts and markup that its document did not declare."""
_WORD = re.compile(r"[^\W\d_]{2,}")


def sentences(text: str) -> list[str]:
    """The sentences of running text, in order: no code, no fragments, nothing that is mostly symbols."""
    return [
        sentence
        for block in text.split("\n\n")
        if not block.startswith("    ")
        for prose in [block.removeprefix("- ")]
        for start, end in sentence_spans(prose, 0, len(prose))
        if _reads_as_prose(sentence := prose[start:end])
    ]


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
