"""Search attribute payloads as values that filters compare."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload, SearchAttributes

from outlive.core import visibility as vis
from outlive.core.visibility import decode_attribute, index_attributes, parse_datetime
from outlive.errors import InvalidArgument

KINDS = {
    "Keyword": vis.KEYWORD,
    "Text": vis.TEXT,
    "Int": vis.INT,
    "Double": vis.DOUBLE,
    "Bool": vis.BOOL,
    "Datetime": vis.DATETIME,
    "KeywordList": vis.KEYWORD_LIST,
}


def payload(value: Any) -> Payload:
    return Payload(metadata={"encoding": b"json/plain", "type": b"Nonsense"}, data=json.dumps(value).encode())


@pytest.mark.parametrize(
    ("kind", "value", "decoded"),
    [
        ("Keyword", "text", "text"),
        ("Keyword", "", ""),
        ("Keyword", ["a"], "a"),
        ("Text", "some words", "some words"),
        ("Int", 1, 1),
        ("Int", [1], 1),
        ("Int", -(2**63), -(2**63)),
        ("Double", 1, 1.0),
        ("Double", 1.5, 1.5),
        ("Bool", True, True),
        ("Datetime", "1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("KeywordList", ["a", "b"], ("a", "b")),
        ("KeywordList", [["a"]], ("a",)),
        *[(kind, nothing, None) for kind in KINDS for nothing in (None, [])],
    ],
)
def test_values(kind: str, value: Any, decoded: Any) -> None:
    result = decode_attribute("X", KINDS[kind], payload(value))
    assert result == decoded
    assert type(result) is type(decoded)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *[("Keyword", v) for v in (1, 1.5, True, [1], [["a"]], {"a": 1}, ["a", "b"])],
        *[("Text", v) for v in (1, True, ["a", "b"])],
        *[("Int", v) for v in ("text", 1.5, True, "", 2**63)],
        *[("Double", v) for v in ("1", True, 10**400, float("nan"), float("inf"))],
        *[("Bool", v) for v in ("true", 1, 0, "")],
        *[("Datetime", v) for v in ("text", 1, 1.5, True, "2026-01-02", "")],
        *[("KeywordList", v) for v in ("text", 1, [1], {"a": 1}, "")],
    ],
)
def test_values_of_another_type(kind: str, value: Any) -> None:
    with pytest.raises(InvalidArgument, match=f"invalid value for search attribute X of type {kind}: "):
        decode_attribute("X", KINDS[kind], payload(value))


@pytest.mark.parametrize("encoding", [b"binary/plain", b"", b"json/protobuf"])
def test_other_encodings(encoding: bytes) -> None:
    with pytest.raises(InvalidArgument):
        decode_attribute("X", vis.KEYWORD, Payload(metadata={"encoding": encoding}, data=b'"x"'))
    with pytest.raises(InvalidArgument):
        decode_attribute("X", vis.KEYWORD, Payload(metadata={"encoding": b"json/plain"}, data=b"{"))
    assert decode_attribute("X", vis.KEYWORD, Payload(metadata={"encoding": b"binary/null"})) is None


def test_indexing_leaves_nulls_out() -> None:
    message = SearchAttributes(indexed_fields={"A": payload("x"), "B": payload(None)})
    types = {"A": vis.KEYWORD, "B": vis.INT}
    assert index_attributes(message, types) == (("A", vis.KEYWORD, "x"),)
    with pytest.raises(InvalidArgument, match="B"):
        index_attributes(message, {"A": vis.KEYWORD})


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T23:59:59.123456789Z", 951_868_799_123_456_789),
        ("2000-01-01T01:00:00+01:00", 946_684_800_000_000_000),
        ("1999-12-31T23:30:00-00:30", 946_684_800_000_000_000),
        ("1970-01-01T0:00:00,25Z", 250_000_000),
        ("1969-12-31T23:59:59.9Z", -100_000_000),
        ("0000-02-29T00:00:00Z", vis.INT64_MIN),
        ("9999-12-31T23:59:59Z", vis.INT64_MAX),
    ],
)
def test_datetimes(text: str, nanoseconds: int) -> None:
    assert parse_datetime(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2025-01-01", "2025-01-01T00:00:00", "2025-01-01T00:00Z", "2025-01-01 00:00:00Z"),
        *("2025-01-01t00:00:00z", "2025-02-29T00:00:00Z", "2025-13-01T00:00:00Z", "2025-01-00T00:00:00Z"),
        *("2025-01-01T24:00:00Z", "2025-01-01T00:60:00Z", "2025-01-01T00:00:60Z", "2025-01-01T00:00:00.Z"),
        *(
            "2025-01-01T00:00:00+0100",
            "2025-01-01T00:00:00+25:00",
            "-001-01-01T00:00:00Z",
            " 2025-01-01T00:00:00Z",
        ),
        *("２０２５-01-01T00:00:00Z", "2025-01-01T00:00:00Z\n"),
    ],
)
def test_no_datetimes(text: str) -> None:
    assert parse_datetime(text) is None


@given(st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)), st.integers(-23 * 60, 23 * 60))
def test_datetimes_of_all_offsets(moment: datetime, offset: int) -> None:
    shifted = moment + timedelta(minutes=offset)
    sign, minutes = "-" if offset < 0 else "+", abs(offset)
    text = shifted.isoformat() + f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    microseconds = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert parse_datetime(text) == microseconds * 1000
