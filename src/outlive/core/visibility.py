"""What visibility knows of an execution: the record that lists show, and the attributes that filters name.

A record is one row for each run (and for each schedule, standalone activity, batch or deployment: those
are told apart by their namespace division). Times are nanoseconds since the Unix epoch, UTC; durations
are nanoseconds; None stands for null.
"""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.api.enums.v1 import IndexedValueType

from outlive.errors import InvalidArgument

TEXT: Final = IndexedValueType.INDEXED_VALUE_TYPE_TEXT
KEYWORD: Final = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
INT: Final = IndexedValueType.INDEXED_VALUE_TYPE_INT
DOUBLE: Final = IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE
BOOL: Final = IndexedValueType.INDEXED_VALUE_TYPE_BOOL
DATETIME: Final = IndexedValueType.INDEXED_VALUE_TYPE_DATETIME
KEYWORD_LIST: Final = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST

AttributeTypes = Mapping[str, IndexedValueType.ValueType]

TYPE_NAMES: Final[Mapping[int, str]] = {
    TEXT: "Text",
    KEYWORD: "Keyword",
    INT: "Int",
    DOUBLE: "Double",
    BOOL: "Bool",
    DATETIME: "Datetime",
    KEYWORD_LIST: "KeywordList",
}

SCHEDULE_DIVISION: Final = "TemporalScheduler"
SCHEDULE_ID_PREFIX: Final = "temporal-sys-scheduler:"  # + schedule id = its record's workflow id
BATCH_DIVISION: Final = "TemporalBatcher"
ACTIVITY_DIVISION: Final = "3332429922"  # of standalone activities; Temporal's number for them

SYSTEM_ATTRIBUTES: Final[AttributeTypes] = {
    "WorkflowId": KEYWORD,
    "RunId": KEYWORD,
    "WorkflowType": KEYWORD,
    "TaskQueue": KEYWORD,
    "ExecutionStatus": KEYWORD,
    "StartTime": DATETIME,
    "ExecutionTime": DATETIME,
    "CloseTime": DATETIME,
    "ExecutionDuration": INT,
    "HistoryLength": INT,
    "HistorySizeBytes": INT,
    "StateTransitionCount": INT,
    "ParentWorkflowId": KEYWORD,
    "ParentRunId": KEYWORD,
    "RootWorkflowId": KEYWORD,
    "RootRunId": KEYWORD,
    "TemporalNamespaceDivision": KEYWORD,
}
"""Every record has a field for these. Clients cannot set them, but for the last."""

PREDEFINED_ATTRIBUTES: Final[AttributeTypes] = {
    "BatcherNamespace": KEYWORD,
    "BatcherUser": KEYWORD,
    "BinaryChecksums": KEYWORD_LIST,
    "BuildIds": KEYWORD_LIST,
    "TemporalChangeVersion": KEYWORD_LIST,
    "TemporalExternalPayloadCount": INT,
    "TemporalExternalPayloadSizeBytes": INT,
    "TemporalPauseInfo": KEYWORD_LIST,
    "TemporalReportedProblems": KEYWORD_LIST,
    "TemporalSchedulePaused": BOOL,
    "TemporalScheduledById": KEYWORD,
    "TemporalScheduledStartTime": DATETIME,
    "TemporalUsedWorkerDeploymentVersions": KEYWORD_LIST,
    "TemporalWorkerDeployment": KEYWORD,
    "TemporalWorkerDeploymentVersion": KEYWORD,
    "TemporalWorkflowVersioningBehavior": KEYWORD,
}
"""Known in every namespace, and kept like custom attributes."""

COLUMN_ATTRIBUTES: Final[AttributeTypes] = {
    f"{name}{number:02}": kind
    for name, kind, count in (
        ("Bool", BOOL, 3),
        ("Datetime", DATETIME, 3),
        ("Double", DOUBLE, 3),
        ("Int", INT, 3),
        ("Keyword", KEYWORD, 10),
        ("KeywordList", KEYWORD_LIST, 3),
        ("Text", TEXT, 3),
    )
    for number in range(1, count + 1)
}
"""Columns that Temporal's SQL stores hold ready: a filter may name them; here they are null everywhere."""

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

IndexedValue = str | int | float | bool | tuple[str, ...]


class IndexedAttribute(NamedTuple):
    """A search attribute's value as filters compare it: Datetime in nanoseconds, KeywordList as a tuple."""

    name: str
    kind: IndexedValueType.ValueType
    value: IndexedValue


@dataclass(slots=True)
class VisibilityRecord:
    """One row of visibility (``temporal.api.workflow.v1.WorkflowExecutionInfo``)."""

    namespace_id: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: int  # WorkflowExecutionStatus
    start_time: int
    execution_time: int
    root_workflow_id: str
    root_run_id: str
    close_time: int | None = None  # None: open
    execution_duration: int | None = None
    history_length: int | None = None
    history_size: int | None = None  # bytes
    state_transition_count: int | None = None
    parent_workflow_id: str | None = None
    parent_run_id: str | None = None
    division: str | None = None  # TemporalNamespaceDivision; None: a workflow
    memo: bytes | None = None  # Memo
    search_attributes: bytes | None = None  # SearchAttributes, as lists answer it
    indexed: tuple[IndexedAttribute, ...] = ()  # what filters see of them; not read back


def index_attributes(attributes: SearchAttributes, types: AttributeTypes) -> tuple[IndexedAttribute, ...]:
    """The values of search attributes as filters compare them; those that are null are left out.

    Raises InvalidArgument if a name is not in `types` or a payload is not of its attribute's type.
    """
    indexed = []
    for name, payload in attributes.indexed_fields.items():
        kind = types.get(name)
        if kind is None:
            raise InvalidArgument(f"search attribute {name} is not defined")
        value = decode_attribute(name, kind, payload)
        if value is not None:
            indexed.append(IndexedAttribute(name, kind, value))
    return tuple(indexed)


def decode_attribute(name: str, kind: IndexedValueType.ValueType, payload: Payload) -> IndexedValue | None:
    """A search attribute's payload as a value of its type; None for null and for an empty list.

    A list of one is taken for its element. The type in the payload's metadata does not count, only the
    namespace's. Raises InvalidArgument for a value of another type.
    """
    encoding = payload.metadata.get("encoding", b"")
    if encoding == b"binary/null":
        return None
    raw = payload.data.decode("utf-8", "replace")
    if encoding != b"json/plain":
        raise _bad_value(name, kind, raw)
    try:
        value = json.loads(payload.data, parse_constant=_reject_constant)
    except ValueError:
        raise _bad_value(name, kind, raw) from None
    if value is None or value == []:
        return None
    raw = _shown(value)
    converted: IndexedValue | None
    if kind == KEYWORD_LIST:
        converted = _keyword_list(value)
    else:
        converted = _scalar(kind, value[0] if isinstance(value, list) and len(value) == 1 else value)
    if converted is None:
        raise _bad_value(name, kind, raw)
    return converted


def _shown(value: Any) -> str:
    """A JSON value as the protocol's own server prints it in messages."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + " ".join(_shown(each) for each in value) + "]"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{_shown(each)}" for name, each in value.items()) + "]"
    return str(value)


def _reject_constant(text: str) -> None:
    raise ValueError(text)  # NaN and infinities: Python's JSON knows them, the protocol's does not


def _bad_value(name: str, kind: int, raw: str) -> InvalidArgument:
    type_name = TYPE_NAMES.get(kind, "Unspecified")
    return InvalidArgument(f"invalid value for search attribute {name} of type {type_name}: {raw}")


def _keyword_list(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None


def _scalar(kind: int, value: Any) -> IndexedValue | None:
    if kind == BOOL:
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return None
    if kind == INT:
        return value if isinstance(value, int) and INT64_MIN <= value <= INT64_MAX else None
    if kind == DOUBLE:
        return _double(value)
    if not isinstance(value, str):
        return None
    if kind == DATETIME:
        return parse_datetime(value)
    return value if kind in (TEXT, KEYWORD) else None


def _double(value: Any) -> float | None:
    if not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


_DATETIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})T(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d+))?(?:Z|([+-])(\d{2}):(\d{2}))", re.ASCII
)


def parse_datetime(text: str) -> int | None:
    """Nanoseconds since the epoch of an RFC 3339 time, None if the text is none.

    As Go reads it: an hour of one digit and a comma before the fraction pass, a lower-case `t` or `z` does
    not. What 64 bits cannot hold (before 1677, after 2262) becomes the nearest that they can: the order
    stays right.
    """
    match = _DATETIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    if not 1 <= month <= 12 or not 1 <= day <= _days_in_month(year, month):
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    offset = 0
    if match[8]:
        offset_hours, offset_minutes = int(match[9]), int(match[10])
        if offset_hours > 24 or offset_minutes > 60:
            return None
        offset = (offset_hours * 60 + offset_minutes) * (60 if match[8] == "+" else -60)
    if year == 0:  # a year that Python's calendar lacks, and far before what 64 bits hold
        return INT64_MIN
    seconds = calendar.timegm((year, month, day, hour, minute, second)) - offset
    nanoseconds = seconds * 1_000_000_000 + int((match[7] or "0")[:9].ljust(9, "0"))
    return max(INT64_MIN, min(INT64_MAX, nanoseconds))


def _days_in_month(year: int, month: int) -> int:
    return calendar.monthrange(year or 4, month)[1]  # year 0 is a leap year, as 4 is
