"""Every recorded schedule spec: the same canonical form, times and status code as on Temporal's server.

The rows are in schedules.tsv of the shared conformance folder; OUTLIVE_SHARED names that folder, which is
beside the repository by default.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.schedule.v1 import ScheduleSpec

from outlive.core.calendar import compile_spec
from outlive.errors import InvalidArgument

_FOLDER = Path(os.environ.get("OUTLIVE_SHARED", Path(__file__).parents[4] / "shared")) / "conformance"
_FILE = _FOLDER / "schedules.tsv"


def rows() -> list[dict[str, str]]:
    if not _FILE.exists():
        return []
    head, *lines = (line.split("\t") for line in _FILE.read_text("utf-8").split("\n") if line)
    return [dict(zip(head, line, strict=True)) for line in lines]


ROWS = rows()


def nanoseconds(text: str) -> int:
    timestamp = Timestamp()
    timestamp.FromJsonString(text)
    return timestamp.ToNanoseconds()


def shown(time: int) -> str:
    timestamp = Timestamp()
    timestamp.FromNanoseconds(time)
    return timestamp.ToJsonString()


@pytest.mark.skipif(not ROWS, reason=f"no schedules.tsv in {_FOLDER}: set OUTLIVE_SHARED")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case"])
def test_row(row: dict[str, str]) -> None:
    spec = json_format.ParseDict(json.loads(row["spec"]), ScheduleSpec())
    if row["code"] != "OK":
        assert row["code"] == "INVALID_ARGUMENT"
        with pytest.raises(InvalidArgument) as caught:
            compile_spec(spec)
        assert str(caught.value).startswith(row["message"])
        return
    compiled = compile_spec(spec)
    assert compiled.canonical == json_format.ParseDict(json.loads(row["canonical"]), ScheduleSpec())
    start, end = map(nanoseconds, row["window"].split("/"))
    times = compiled.matching_times(start, end, "seed")
    assert str(len(times)) == row["count"]
    if row["times"].startswith("(past the full hour by less than "):  # jittered: only the bound is recorded
        bound = float(row["times"].split("less than ")[1].split(" ")[0])
        assert all(time % (3600 * 10**9) < bound * 10**9 for time in times)
    else:
        assert " ".join(map(shown, times[:20])) == row["times"]
