"""What the provider is told to do: rules that match requests, and what happens to those that match.

A script is a list of rules, also as JSON (`[{"model": "gpt-*", "prompt": "weather", "behaviour": {...}}]`). The first
rule that matches and is not used up answers; without one the provider answers as it can.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

from outlive.testing.providers.asks import STATUS, Ask, Json, ProblemKind, ToolUse


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens to a request. Durations are seconds of the provider's clock."""

    text: str | None = None
    json: Json = None  # the answer, or the arguments of the tool that must be called
    calls: tuple[ToolUse, ...] = ()
    refuse: str = ""  # the model declines, in words: an answer, no error
    problem: ProblemKind | None = None
    status: int | None = None  # of the problem, where the usual one is not meant
    message: str = ""
    retry_after: float | None = None
    delay: float = 0.0  # before the first byte
    chunk_delay: float = 0.0  # between the pieces of a stream
    cut_after: int | None = None  # cut the connection after so many pieces; 0: before any of the answer
    malformed: bool = False  # the body is no JSON
    input_tokens: int | None = None  # what usage says, whatever was counted
    output_tokens: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    words: int | None = None  # length of a text that is made up


@dataclass(slots=True)
class Rule:
    """Which requests, and what happens to them. Empty fields match everything."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    api: str = ""
    model: str = ""  # a pattern such as gpt-5*
    prompt: str = ""  # a regular expression, searched in what the person said last
    turn: int | None = None  # how many answers the conversation has already
    after_tool: bool | None = None  # whether the last message is a tool's result
    times: int | None = None  # how many requests it answers; None: all
    used: int = 0

    def matches(self, ask: Ask) -> bool:
        """Whether this rule is for the request."""
        last = ask.turns[-1].role if ask.turns else ""
        return (
            (self.times is None or self.used < self.times)
            and (not self.api or self.api == ask.api)
            and (not self.model or fnmatchcase(ask.model, self.model))
            and (not self.prompt or re.search(self.prompt, ask.prompt) is not None)
            and (self.turn is None or self.turn == ask.turn)
            and (self.after_tool is None or self.after_tool == (last == "tool"))
        )


class Script:
    """The rules in force."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules = list(rules)

    def add(self, rule: Rule) -> Rule:
        """Put a rule before those that are there."""
        self.rules.insert(0, rule)
        return rule

    def behaviour(self, ask: Ask) -> Behaviour:
        """What to do with the request; the rule counts it."""
        for rule in self.rules:
            if rule.matches(ask):
                rule.used += 1
                return rule.behaviour
        return Behaviour()


def rules_of(data: Any) -> list[Rule]:
    """Rules from JSON. Raises ValueError with a sentence for people."""
    if not isinstance(data, list):
        raise ValueError("a script is a JSON list of rules.")
    return [_rule(item, number) for number, item in enumerate(data, 1)]


def _rule(item: Any, number: int) -> Rule:
    where = f"rule {number}"
    values = _checked(item, Rule, where, without=("used",))
    if "behaviour" in values:
        values["behaviour"] = _behaviour(values["behaviour"], where)
    try:
        re.compile(values.get("prompt", ""))
    except re.error as error:
        raise ValueError(f"{where}: prompt is no regular expression: {error}") from None
    return Rule(**values)


def _behaviour(item: Any, where: str) -> Behaviour:
    values = _checked(item, Behaviour, f"{where}, behaviour")
    calls = values.get("calls", ())
    try:
        values["calls"] = tuple(ToolUse(**call) for call in calls)
    except TypeError:
        raise ValueError(f"{where}: calls is a list of {{name, arguments}}.") from None
    if values.get("problem") not in (None, *STATUS):
        raise ValueError(f"{where}: problem is one of {', '.join(STATUS)}.")
    return Behaviour(**values)


def _checked(item: Any, kind: type[Any], where: str, without: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise ValueError(f"{where} must be a JSON object.")
    known = {entry.name for entry in fields(kind)} - set(without)
    unknown = set(item) - known
    if unknown:
        raise ValueError(f"{where} has {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}.")
    return dict(item)
