from __future__ import annotations

from datetime import UTC, datetime

import pytest

from outlive.web.views.complete import Suggestions, suggest

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
KINDS = {
    "WorkflowType": "Keyword",
    "StartTime": "Datetime",
    "ExecutionStatus": "Keyword",
    "Customer": "Keyword",
    "Tags": "KeywordList",
    "Done": "Bool",
}
SEEN = {"WorkflowType": ["Pipeline", "It's"], "Customer": ["acme"]}


def at(text: str) -> Suggestions:
    """``|`` is the cursor."""
    cursor = text.index("|")
    return suggest(text.replace("|", ""), cursor, KINDS, SEEN, NOW)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("|", "WorkflowType "),
        ("Cust|", "Customer "),
        ("WorkflowType |", "= "),
        ("WorkflowType = |", "'Pipeline' "),
        ("WorkflowType = 'It|", "'It\\'s' "),
        ("WorkflowType = 'a' |", "AND "),
        ("WorkflowType = 'a' O|", "OR "),
        ("WorkflowType = 'a' AND Cus|", "Customer "),
        ("(WorkflowType = 'a' OR |", "WorkflowType "),
        ("WorkflowType IN ('a'|", ", "),
        ("WorkflowType IN ('a', |", "'Pipeline' "),
        ("ExecutionStatus = 'Fai|", "'Failed' "),
        ("StartTime > |", "'2026-11-23T09:00:00.000Z' "),
        ("StartTime BETWEEN 'a' |", "AND "),
        ("StartTime BETWEEN 'a' AND |", "'2026-11-23T09:00:00.000Z' "),
        ("Customer IS |", "NULL "),
        ("Customer IS NOT |", "NULL "),
        ("Done = |", "true "),
        ("Tags |", "= "),
        ("NOT |", "WorkflowType "),
    ],
)
def test_what_may_come_next(text: str, first: str) -> None:
    assert at(text).items[0].text == first


def test_only_what_was_begun_is_replaced() -> None:
    text = "WorkflowType = 'Pipe| AND x"
    found = at(text)
    assert text[found.start : found.end] == "'Pipe"
    assert at("zzz|").items == []
    assert len(suggest("", 0, {f"A{n}": "Keyword" for n in range(99)}, {}, NOW).items) == 12
