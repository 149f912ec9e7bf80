"""The local stand-in for a language model: it copies sentences, it does not write any.

It makes the pipeline real work on a machine with no key and no network, and says in every name it gives
itself that no language model was asked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from examples.research_pipeline.models import (
    Analysis,
    Excerpt,
    Finding,
    NumberedFinding,
    Overview,
    Reply,
    Statement,
    Usage,
)
from examples.research_pipeline.ranking import rank
from examples.research_pipeline.sentences import sentences

_FINDINGS = 4
_STATEMENTS = 8
_SUMMARY_CHARS = 240
_BOILERPLATE = re.compile(r"licen[cs]e|copyright|public domain|^See (the|also)\b", re.IGNORECASE)
"""What stands early in many a document and answers nothing."""


class StandIn:
    """Extractive answers by tf-idf. Each call is made to last `pace` seconds, as a remote one would."""

    name = "local stand-in (extractive, no language model)"
    is_language_model = False

    def __init__(self, pace: float = 0.0) -> None:
        self._pace = pace

    async def analyse(self, question: str, excerpt: Excerpt) -> Reply[Analysis]:
        """The sentences of the document that are most central and nearest to the question."""
        await asyncio.sleep(self._pace)
        found = [
            (number, sentence)
            for number, text in excerpt.passages
            for sentence in sentences(text)
            if not _BOILERPLATE.search(sentence)
        ]
        best = rank([sentence for _, sentence in found], question, _FINDINGS, lead_first=True)
        findings = [Finding(claim=found[place][1], passage=found[place][0], quote=found[place][1]) for place in best]
        summary = findings[0].claim if findings else "The stand-in found no sentence of running text to copy."
        if len(findings) > 1 and len(summary) + len(findings[1].claim) < _SUMMARY_CHARS:
            first, second = sorted(best[:2])
            summary = f"{found[first][1]} {found[second][1]}"
        return Reply(Analysis(summary=summary, findings=findings), Usage())

    async def summarise(self, question: str, findings: Sequence[NumberedFinding]) -> Reply[Overview]:
        """The findings most central over all documents, at most one a document."""
        await asyncio.sleep(self._pace)
        first_of: dict[str, NumberedFinding] = {}
        for finding in findings:
            first_of.setdefault(finding.document, finding)
        leading = list(first_of.values())
        best = rank([finding.claim for finding in leading], question, _STATEMENTS, lead_first=False)
        statements = [Statement(text=leading[n].claim, findings=[leading[n].number]) for n in sorted(best)]
        return Reply(Overview(statements=statements), Usage())
