from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from outlive.web.forms import FieldProblems
from outlive.web.views import bulk, columns, payload_input, saved
from outlive.web.views.runs import RunRow, RunsQuery
from outlive.web.views.status import Status

NOW = datetime(2026, 11, 23, 10, 12, tzinfo=UTC)


def test_saved_views_are_read_and_what_is_none_is_left_out() -> None:
    data = {
        "outlive.view.Mine": json.dumps({"query": "A = 'b'", "evil": "x", "sort": "-start"}),
        "outlive.view.Gone": "",
        "outlive.view.Broken": "{",
        "outlive.view.List": "[1]",
        "owner": "me",
    }
    (view,) = saved.of_data(data)
    assert (view.name, view.params, view.own) == ("Mine", {"query": "A = 'b'", "sort": "-start"}, True)
    assert saved.built_in(NOW) == saved.built_in(NOW.replace(minute=59)), "an address stays the same for a while"


def row(name: str, seconds: float | None, **attributes: str) -> RunRow:
    return RunRow(name, name, "T", "q", Status.COMPLETED, NOW, None, seconds, attributes=attributes)


def test_rows_are_put_in_order_and_what_has_no_value_comes_last() -> None:
    rows = [row("a", None), row("b", 2, N="10"), row("c", 30, N="9"), row("d", 1)]
    assert [r.workflow_id for r in columns.in_order(rows, "duration")] == ["d", "b", "c", "a"]
    assert [r.workflow_id for r in columns.in_order(rows, "-duration")] == ["c", "b", "d", "a"]
    assert [r.workflow_id for r in columns.in_order(rows, "N")] == ["c", "b", "a", "d"]
    assert [c.key for c in columns.chosen(("type", "N", "type"))] == ["workflow", "type", "N"]


def test_a_batch_leaves_closed_runs_alone_and_never_has_an_empty_filter() -> None:
    asked = RunsQuery("default", "A = 'b' OR C = 'd'", Status.FAILED)
    wanted = "(A = 'b' OR C = 'd') AND ExecutionStatus = 'Failed'"
    assert bulk.batch_query(asked, (), bulk.BY_KEY["terminate"]) == f"({wanted}) AND CloseTime IS NULL"
    assert bulk.batch_query(asked, (), bulk.BY_KEY["reset"]) == wanted
    assert bulk.batch_query(RunsQuery("default"), (), bulk.BY_KEY["delete"]) == "StartTime IS NOT NULL"
    assert bulk.batch_query(asked, ("r'1",), bulk.BY_KEY["reset"]) == "RunId IN ('r\\'1')"


def test_an_input_is_one_document_or_one_value_a_line() -> None:
    assert [p.data for p in payload_input.parse(' {"a":\n 1} ', "input")] == [b'{"a":1}']
    assert [p.data for p in payload_input.parse('"x"\n\n2\n', "input")] == [b'"x"', b"2"]
    assert payload_input.parse("  ", "input") == []
    with pytest.raises(FieldProblems, match=r"line 1, column 1.*Expected: JSON"):
        payload_input.parse("hello", "input")
