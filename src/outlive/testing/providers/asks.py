"""What a request asks and what is answered, whatever protocol it travels in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Json: TypeAlias = Any
Api = Literal["chat", "responses", "messages", "embeddings"]
Stop = Literal["stop", "length", "tool", "refusal"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation, as text. `role` is system, user, assistant or tool."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `schema` describes its arguments."""

    name: str
    schema: Json


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, read."""

    api: Api
    model: str
    turns: tuple[Turn, ...] = ()
    tools: tuple[Tool, ...] = ()
    must_call: str = ""  # "" the model may, "*" it must call some tool, else the tool's name
    schema: Json = None  # of the answer, where it must be JSON
    max_tokens: int | None = None
    stream: bool = False
    stream_usage: bool = True  # Chat Completions tell usage in a stream only if asked to
    inputs: tuple[str, ...] = ()  # texts to embed
    dimensions: int | None = None
    body: Mapping[str, Json] = field(default_factory=dict)

    @property
    def prompt(self) -> str:
        """What the person said last."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")

    @property
    def turn(self) -> int:
        """How many answers the conversation has already."""
        return sum(1 for turn in self.turns if turn.role == "assistant")


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of a tool that the answer asks for."""

    name: str
    arguments: Json
    id: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that the answer reports. `cached` is a part of `input`, `reasoning` a part of `output`."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer."""

    text: str = ""
    calls: tuple[ToolUse, ...] = ()
    usage: Usage = Usage()
    stop: Stop = "stop"


ProblemKind = Literal[
    "bad_request", "context_too_long", "policy", "auth", "not_found", "rate_limit", "no_credit", "server", "overloaded"
]
STATUS: Mapping[str, int] = {
    "bad_request": 400,
    "context_too_long": 400,
    "policy": 400,
    "auth": 401,
    "not_found": 404,
    "rate_limit": 429,
    "no_credit": 429,
    "server": 500,
    "overloaded": 529,
}


class Problem(Exception):
    """The request is answered with an error. `retry_after` is in the client's seconds."""

    def __init__(
        self, kind: ProblemKind, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status or STATUS[kind]
        self.retry_after = retry_after
