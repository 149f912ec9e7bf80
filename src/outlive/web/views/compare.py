"""Two runs side by side: what they had in common, and where they went apart."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from outlive.client import WorkflowServiceClient
from outlive.ledger.errors import LedgerError
from outlive.ledger.interface import Ledger
from outlive.ledger.types import Filter
from outlive.web import bounds
from outlive.web.views import model_calls
from outlive.web.views import run as run_view
from outlive.web.views.groups import Group, RunLink
from outlive.web.views.model_calls import Sums
from outlive.web.views.payloads import PayloadView
from outlive.web.views.run import RunHeader, RunView


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a difference: in both, only on the left, or only on the right."""

    side: Literal["both", "left", "right"]
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """The same step of both runs; None where one of them did not have it. ``differs``: it went otherwise."""

    left: Group | None
    right: Group | None
    left_seconds: float | None
    right_seconds: float | None
    differs: bool


@dataclass(frozen=True, slots=True)
class CompareView:
    """The page. ``same_input`` and ``same_result`` leave out what would be said twice."""

    left: RunHeader
    right: RunHeader
    input: list[Line]
    result: list[Line]
    same_input: bool
    same_result: bool
    steps: list[Pair]
    left_calls: Sums | None
    right_calls: Sums | None


async def load(
    client: WorkflowServiceClient,
    ledger: Ledger | None,
    left: RunLink,
    right: RunLink,
    now: Callable[[], datetime],
) -> CompareView:
    """Ask the server twice. Raises RpcError."""
    one, other = await asyncio.gather(run_view.load(client, left, 1, "", now), run_view.load(client, right, 1, "", now))
    inputs = lines(one.input, other.input)
    results = lines(one.result, other.result)
    return CompareView(
        left=one.header,
        right=other.header,
        input=inputs,
        result=results,
        same_input=all(line.side == "both" for line in inputs),
        same_result=all(line.side == "both" for line in results),
        steps=pairs(_steps(one), _steps(other)),
        left_calls=await _calls(ledger, one.header.link),
        right_calls=await _calls(ledger, other.header.link),
    )


def _steps(view: RunView) -> list[Group]:
    """The run's groups, without its own id in their notes: children are often named after their parent."""
    own = view.header.link.workflow_id
    groups = [row.group for row in view.timeline.rows]
    return [replace(group, note=group.note.replace(own, "…")) if own in group.note else group for group in groups]


async def _calls(ledger: Ledger | None, link: RunLink) -> Sums | None:
    """What the run asked of models; None where there is no ledger, or it asked nothing."""
    if ledger is None:
        return None
    try:
        page = await ledger.attempts(Filter(namespace=link.namespace, run=link.run_id), limit=bounds.MODEL_CALLS)
    except LedgerError:
        return None
    return model_calls.sums([model_calls.call(one) for one in page.attempts]) if page.attempts else None


def lines(left: Sequence[PayloadView], right: Sequence[PayloadView]) -> list[Line]:
    """The values' texts as one difference, line by line, bounded."""
    one, other = _text(left), _text(right)
    found: list[Line] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal":
            found += [Line("both", text) for text in one[a:b]]
        else:
            found += [Line("left", text) for text in one[a:b]]
            found += [Line("right", text) for text in other[c:d]]
    return found


def _text(values: Sequence[PayloadView]) -> list[str]:
    """The values as lines: a text in Markdown as it is written, anything else as its JSON."""
    texts = [p.shape.markdown if p.shape is not None and p.shape.kind == "markdown" else p.text for p in values]
    return [line for text in texts for line in text.splitlines()][: bounds.DIFF_LINES]


def pairs(left: Sequence[Group], right: Sequence[Group]) -> list[Pair]:
    """Steps of the same kind and name, in order, beside each other."""

    def key(group: Group) -> tuple[str, str]:
        return group.kind, group.name

    found: list[Pair] = []
    matcher = difflib.SequenceMatcher(None, list(map(key, left)), list(map(key, right)), autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            found += [_pair(one, other) for one, other in zip(left[a:b], right[c:d], strict=True)]
        else:
            found += [_pair(one, None) for one in left[a:b]]
            found += [_pair(None, other) for other in right[c:d]]
    return found


def _pair(left: Group | None, right: Group | None) -> Pair:
    differs = left is None or right is None or (left.status, left.note, left.attempt) != (
        right.status, right.note, right.attempt
    )  # fmt: skip
    return Pair(left, right, _seconds(left), _seconds(right), differs)


def _seconds(group: Group | None) -> float | None:
    if group is None or group.ended is None:
        return None
    return (group.ended - group.scheduled).total_seconds()
