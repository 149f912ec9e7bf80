"""Workflows that make one of everything a page has to show: retries, children, timers, signals, failures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

HOSTILE_TEXT = "<script>alert('run')</script>\x1b[31mred\x1b[0m \u202egnp.exe & \"quoted\" <img src=x onerror=alert(1)>"


@activity.defn
async def fetch(source: str) -> dict[str, Any]:
    return {"source": source, "documents": ["intro.md", "api.md", "faq.md"], "bytes": 48213}


@activity.defn
async def embed(document: str) -> list[float]:
    """Fails twice, then works, as a rate-limited model does."""
    if activity.info().attempt < 3:
        raise ApplicationError(f"429 Too Many Requests while embedding {document}", type="RateLimited")
    return [0.12, 0.98, 0.33]


@activity.defn
async def charge(amount: int) -> None:
    raise ApplicationError(f"Card declined: cannot charge {amount} EUR", type="CardDeclined", non_retryable=True)


@activity.defn
async def flaky_forever(reason: str) -> None:
    """Never works: its page shows the attempts, the last failure and the next retry."""
    activity.heartbeat({"step": "connect", "tried": activity.info().attempt})
    raise ApplicationError(f"Upstream answered 503: {reason}", type="UpstreamError")


@activity.defn
async def hold(seconds: float) -> str:
    """Runs until it is cancelled or its time is over, heartbeating."""
    for step in range(round(seconds * 20)):
        activity.heartbeat({"step": step})
        await asyncio.sleep(0.05)
    return "held"


@activity.defn
async def hostile_output(size: int) -> dict[str, Any]:
    return {"html": HOSTILE_TEXT, "big": "</pre><script>x</script>" * (size // 24)}


@activity.defn
async def count_words(text: str) -> int:
    return len(text.split())


@workflow.defn
class AnalyseDocument:
    @workflow.run
    async def run(self, document: str) -> dict[str, Any]:
        words = await workflow.execute_activity(
            count_words, f"words of {document}", start_to_close_timeout=timedelta(seconds=10)
        )
        return {"document": document, "words": words}


@workflow.defn
class ResearchPipeline:
    """The whole show. Waits for ``approve`` unless told not to."""

    def __init__(self) -> None:
        self.approved_by = ""
        self.notes: list[str] = []

    @workflow.signal
    def approve(self, name: str) -> None:
        self.approved_by = name

    @workflow.update
    async def add_note(self, note: str) -> int:
        self.notes.append(note)
        return len(self.notes)

    @workflow.run
    async def run(self, source: str) -> dict[str, Any]:
        fetched = await workflow.execute_activity(
            fetch, source, start_to_close_timeout=timedelta(seconds=10), summary="Read the documentation"
        )
        await workflow.execute_local_activity(count_words, source, start_to_close_timeout=timedelta(seconds=5))
        await workflow.execute_activity(
            embed,
            fetched["documents"][0],
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=150), backoff_coefficient=2.0),
        )
        analyses = await asyncio.gather(
            *(
                workflow.execute_child_workflow(AnalyseDocument.run, name, id=f"{workflow.info().workflow_id}/{name}")
                for name in fetched["documents"]
            )
        )
        await workflow.sleep(0.3)
        await workflow.wait_condition(lambda: bool(self.approved_by))
        return {"source": source, "analyses": analyses, "approved_by": self.approved_by, "notes": self.notes}


@workflow.defn
class ChargeCustomer:
    """Fails because its activity does."""

    @workflow.run
    async def run(self, amount: int) -> None:
        await workflow.execute_activity(charge, amount, start_to_close_timeout=timedelta(seconds=10))


@workflow.defn
class SyncForever:
    """Has an activity that is retried until somebody helps."""

    @workflow.run
    async def run(self, reason: str) -> None:
        await workflow.execute_activity(
            flaky_forever,
            reason,
            start_to_close_timeout=timedelta(seconds=10),
            heartbeat_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=50),
        )


@workflow.defn
class HoldOn:
    """Runs one long activity and a long timer beside it."""

    @workflow.run
    async def run(self, seconds: float) -> str:
        timer = asyncio.create_task(workflow.sleep(3600))
        held = await workflow.execute_activity(
            hold, seconds, start_to_close_timeout=timedelta(hours=1), heartbeat_timeout=timedelta(seconds=30)
        )
        timer.cancel()
        return held


@workflow.defn
class Rollover:
    """Continues as new until its counter is used up."""

    @workflow.run
    async def run(self, left: int) -> str:
        if left:
            workflow.continue_as_new(left - 1)
        return "rolled over"


@workflow.defn
class Hostile:
    """Takes and gives text that would like to be executed."""

    @workflow.run
    async def run(self, text: str, size: int) -> dict[str, Any]:
        return await workflow.execute_activity(
            hostile_output, size, start_to_close_timeout=timedelta(seconds=30), summary=text
        )


@workflow.defn
class ManySteps:
    """A long history: one activity after another."""

    @workflow.run
    async def run(self, steps: int) -> int:
        for step in range(steps):
            await workflow.execute_activity(count_words, f"step {step}", start_to_close_timeout=timedelta(seconds=10))
        return steps


WORKFLOWS: Sequence[type] = (
    AnalyseDocument,
    ResearchPipeline,
    ChargeCustomer,
    SyncForever,
    HoldOn,
    Rollover,
    Hostile,
    ManySteps,
)
ACTIVITIES = (fetch, embed, charge, flaky_forever, hold, hostile_output, count_words)
