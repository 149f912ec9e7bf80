"""`approval`: a workflow asks a person, and sleeps until the answer. Who decided, when and how is in its history."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from temporalio import workflow
from temporalio.common import RetryPolicy

ASK: Final = "outlive_ai_ask_approval"
LOOK: Final = "outlive_ai_look_at_approval"
CANCEL: Final = "outlive_ai_cancel_approval"
DECIDED_SIGNAL: Final = "outlive_ai_decided_"  # and the approval's id
_LOOK_FIRST: Final = 10.0  # seconds; doubled each time: a worker that watches the ledger tells it sooner
_LOOK_LAST: Final = 900.0
_TIMEOUT: Final = timedelta(seconds=30)
_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=30))


@dataclass(frozen=True)
class Decided:
    """What a person said. `edits` is the form as they changed it; `at` is None where nobody answered in time."""

    state: Literal["approved", "rejected", "expired", "cancelled"]
    choice: str = ""
    by: str = ""
    at: datetime | None = None
    reason: str = ""
    edits: Any = None
    escalated: bool = False

    @property
    def approved(self) -> bool:
        return self.state == "approved"


async def approval(
    title: str,
    details: Any = None,
    *,
    options: Sequence[str] = ("approve", "reject"),
    form: Any = None,
    schema: Any = None,
    assignee: str = "",
    timeout: timedelta | None = None,
    escalate_to: str = "",
    escalate_after: timedelta | None = None,
) -> Decided:
    """Put a question in the ledger's inbox, and wait for its answer: for ever, or until `timeout`.

    All `options` but the last approve. `form` is what the person may edit, `schema` its JSON schema. After
    `escalate_after` the question goes to `escalate_to`. `details` and `form` are JSON, and are kept by the ledger.
    """
    info, now = workflow.info(), workflow.now()
    asked = {
        "id": workflow.uuid4().hex,
        "title": title,
        "namespace": info.namespace,
        "workflow_id": info.workflow_id,
        "run": info.run_id,
        "details": details,
        "options": list(options),
        "schema": schema,
        "form": form,
        "assignee": assignee,
        "escalate_to": escalate_to,
        "deadline": 0 if timeout is None else _milliseconds(now + timeout),
        "escalate_at": 0 if escalate_after is None else _milliseconds(now + escalate_after),
    }
    news: list[str] = []
    name = DECIDED_SIGNAL + asked["id"]
    workflow.set_signal_handler(name, news.append)
    pause = _LOOK_FIRST
    try:
        answer = await _do(ASK, asked)
        while answer["state"] == "open":
            try:
                said = f"waiting for approval: {title}"
                await workflow.wait_condition(lambda: bool(news), timeout=pause, timeout_summary=said)
            except TimeoutError:
                pause = min(pause * 2, _LOOK_LAST)
            news.clear()
            answer = await _do(LOOK, asked["id"])
    except asyncio.CancelledError:
        await _do(CANCEL, asked["id"])
        raise
    finally:
        workflow.set_signal_handler(name, None)
    at = answer.pop("at")
    return Decided(**answer, at=datetime.fromtimestamp(at / 1000, UTC) if at else None)


async def _do(activity: str, what: Any) -> dict[str, Any]:
    done: dict[str, Any] = await workflow.execute_local_activity(
        activity, what, start_to_close_timeout=_TIMEOUT, retry_policy=_RETRY, result_type=dict
    )
    return done


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
