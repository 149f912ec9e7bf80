"""Sentences, ranking, hashing, and the stand-in that is built on them."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from examples.research_pipeline.embedding import HashingEmbedder
from examples.research_pipeline.models import Excerpt, NumberedFinding
from examples.research_pipeline.ranking import rank
from examples.research_pipeline.sentences import sentences
from examples.research_pipeline.standin import StandIn


def test_sentences_end_where_a_reader_ends_them() -> None:
    text = (
        "It runs on Linux, e.g. Debian and its many relatives, without any change at all. Dr. Smith found "
        "that this holds in most of the cases that were seen.\n\n    code = not_a_sentence_of_running_text()"
    )
    assert sentences(text) == [
        "It runs on Linux, e.g. Debian and its many relatives, without any change at all.",
        "Dr. Smith found that this holds in most of the cases that were seen.",
    ]


def test_ranking_prefers_the_question_and_does_not_repeat_itself() -> None:
    texts = [
        "The ferry crosses the river every hour of the day.",
        "Tickets for the ferry are sold at the quay in summer.",
        "The ferry crosses the river every hour of the day, always.",
        "Dogs travel free of charge if they are small and quiet.",
    ]
    assert rank(texts, "Where are tickets sold?", 1, lead_first=False) == [1]
    best = rank(texts, "ferry", 3, lead_first=False)
    assert not {0, 2} <= set(best)
    assert rank([], "ferry", 3, lead_first=True) == []


async def test_hashed_vectors_are_unit_length_and_say_that_they_are_no_model() -> None:
    embedder = HashingEmbedder()
    near, nearer, far = (await embedder.embed(["a ferry on the river", "the river ferry", "yeast and flour"])).values
    assert math.isclose(sum(value * value for value in near), 1)
    assert sum(map(float.__mul__, near, nearer)) > sum(map(float.__mul__, near, far))
    assert "no model" in embedder.name
    assert not embedder.is_model


async def test_hashed_vectors_are_the_same_in_another_process() -> None:
    code = (
        "import asyncio; from examples.research_pipeline.embedding import HashingEmbedder as H;"
        "print([n for n, v in enumerate(asyncio.run(H().embed(['a ferry on the river'])).values[0]) if v])"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    here = (await HashingEmbedder().embed(["a ferry on the river"])).values[0]
    assert other.stdout.strip() == str([n for n, v in enumerate(here) if v])


async def test_the_stand_in_only_copies() -> None:
    passages = [
        (0, "A ferry is a ship that carries people across water, back and forth."),
        (3, "It is cheaper than a bridge. Tickets for the ferry are sold at the quay from May to October."),
    ]
    analysis = (await StandIn().analyse("Where are tickets sold?", Excerpt("Ferries", passages))).answer
    assert analysis.findings
    for finding in analysis.findings:
        assert finding.quote in dict(passages)[finding.passage]
        assert finding.claim == finding.quote
    assert all(sentence in " ".join(dict(passages).values()) for sentence in sentences(analysis.summary))


async def test_the_stand_in_says_what_it_is() -> None:
    assert "no language model" in StandIn.name
    assert not StandIn.is_language_model
    nothing = (await StandIn().analyse("Why?", Excerpt("Empty", [(0, "    code()")]))).answer
    assert nothing.findings == []
    assert "no sentence" in nothing.summary


@pytest.mark.parametrize("count", [0, 1, 30])
async def test_the_stand_in_cites_every_statement(count: int) -> None:
    findings = [
        NumberedFinding(n, f"Document {n // 2}", f"Claim number {n} says that ships carry cargo {n}.")
        for n in range(1, count + 1)
    ]
    overview = (await StandIn().summarise("What do ships carry?", findings)).answer
    assert bool(overview.statements) == bool(findings)
    for statement in overview.statements:
        (cited,) = statement.findings
        assert statement.text == findings[cited - 1].claim
