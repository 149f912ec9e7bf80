"""How a schedule is kept: its definition as the message that it is, its state as JSON.

They are kept apart, since every action writes the state, and only an update the definition. A field that is
not there has its default, so that files of older versions can be read.
"""

from __future__ import annotations

import base64
import json
from dataclasses import fields
from typing import Any

from temporalio.api.workflowservice.v1 import CreateScheduleRequest

from outlive.core.schedules.state import Action, Backfill, Execution, Planned, Schedule, State

_BYTES = ("last_result", "last_failure")
_NAMES = tuple(field.name for field in fields(State))


def encode_definition(schedule: Schedule) -> bytes:
    return schedule.definition.SerializeToString()


def encode_state(schedule: Schedule) -> bytes:
    """Everything that changes as the schedule acts; what is empty is left out."""
    state = schedule.state
    values: dict[str, Any] = {name: value for name in _NAMES if (value := getattr(state, name))}
    if state.recent:
        values["recent"] = [(a.scheduled, a.taken, *a.execution, a.status) for a in state.recent]
    for name in _BYTES:
        if name in values:
            values[name] = base64.b64encode(values[name]).decode()
    return json.dumps(values, separators=(",", ":")).encode()


def decode(definition: bytes, state: bytes) -> Schedule:
    """What the two wrote, also what older versions of them did."""
    values = {name: value for name, value in json.loads(state).items() if name in _NAMES}
    values["buffer"] = tuple(Planned(*row) for row in values.get("buffer", ()))
    values["backfills"] = tuple(Backfill(*row) for row in values.get("backfills", ()))
    values["running"] = tuple(Execution(*row) for row in values.get("running", ()))
    values["recent"] = tuple(
        Action(scheduled, taken, Execution(workflow_id, run_id), status)
        for scheduled, taken, workflow_id, run_id, status in values.get("recent", ())
    )
    values["requests"] = tuple(values.get("requests", ()))
    for name in _BYTES:
        values[name] = base64.b64decode(values.get(name, ""))
    for name in ("cursor", "not_before", "created"):
        values.setdefault(name, 0)
    return Schedule(CreateScheduleRequest.FromString(definition), State(**values))
