"""A history as values that two servers can be compared by: what differs from run to run is taken out."""

from __future__ import annotations

import base64
import re
from typing import Any

from google.protobuf.json_format import MessageToDict
from temporalio.client import Client, WorkflowHistory

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

# Names that a server makes up for itself, or that count what another server need not count.
_OWN = {
    "taskId",  # of the server's own queue of tasks
    "eventTime",
    "historySizeBytes",
    "requestId",
    "workflowTaskCompletedEventId",  # compared as a place in the list below
    "identity",
    "workflowExecutionExpirationTime",
    "version",
}


def comparable(history: WorkflowHistory, names: dict[str, str]) -> list[dict[str, Any]]:
    """Each event as a dictionary. `names` maps what the two runs call differently to one name for both."""
    return [_clean(MessageToDict(event), names) for event in history.events]


def _clean(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        if "metadata" in value and "data" in value:  # a payload: what a worker wrote, as it reads
            return _clean(base64.b64decode(value["data"]).decode("utf-8", "replace"), names)
        if value.get("kind") == "TASK_QUEUE_KIND_STICKY":
            return {"kind": value["kind"], "normalName": value.get("normalName")}  # its name is the worker's own
        return {key: _clean(item, names) for key, item in value.items() if key not in _OWN}
    if isinstance(value, list):
        numbers = all(isinstance(item, int) for item in value)
        return sorted(value) if numbers else [_clean(item, names) for item in value]
    if isinstance(value, str):
        for found, name in names.items():
            value = value.replace(found, name)
        return _UUID.sub("<uuid>", value)
    return value


async def history(client: Client, workflow_id: str) -> WorkflowHistory:
    return await client.get_workflow_handle(workflow_id).fetch_history()
