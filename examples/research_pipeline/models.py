"""What the pipeline asks of a model, whoever answers: a language model, or the stand-in for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, Field

Answer = TypeVar("Answer", bound=BaseModel)


class Finding(BaseModel):
    """One thing a document says about the question."""

    claim: str = Field(description="One sentence that answers part of the question, in your words")
    passage: int = Field(description="The number of the passage that supports it")
    quote: str = Field(description="The sentence of that passage that supports it, copied character by character")


class Analysis(BaseModel):
    """What one document says about the question."""

    summary: str = Field(description="What the document says about the question, in one to three sentences")
    findings: list[Finding] = Field(description="At most five findings, the most telling first")


class Statement(BaseModel):
    """One sentence or two of the overview, and the findings it rests on."""

    text: str
    findings: list[int] = Field(description="The numbers of the findings that support it")


class Overview(BaseModel):
    """The answer over all documents."""

    statements: list[Statement] = Field(description="Five to ten statements that together answer the question")


@dataclass(frozen=True)
class Usage:
    """What a call took. Tokens are 0 where nobody counts them; `cost_usd` is None where no price is known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True)
class Reply(Generic[Answer]):
    """An answer and what it took."""

    answer: Answer
    usage: Usage


@dataclass(frozen=True)
class Excerpt:
    """The passages of a document that a model is shown; their numbers are their places in the document."""

    title: str
    passages: list[tuple[int, str]]


@dataclass(frozen=True)
class NumberedFinding:
    """A finding as the overview may cite it."""

    number: int
    document: str
    claim: str


class Analyst(Protocol):
    """Answers questions about documents. One method call is one model call."""

    name: str
    is_language_model: bool

    async def analyse(self, question: str, excerpt: Excerpt) -> Reply[Analysis]:
        """Say what one document says about the question."""
        ...

    async def summarise(self, question: str, findings: Sequence[NumberedFinding]) -> Reply[Overview]:
        """Answer the question from the findings of all documents."""
        ...


class ModelRefused(Exception):
    """The model will not answer however often it is asked: a bad key, an unknown model, no credit."""
