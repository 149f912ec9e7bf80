"""What screenshots show: a research pipeline, an agent with its conversation, runs that fail, wait and are stuck."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import time
import zlib
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleSpec
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from outlive.ledger.client import NANO, Approval, Budget, Call, HttpLedger, Quota, Result, Tokens

QUEUE = "research"
SHORT = timedelta(seconds=30)
DOCUMENTS = ["durable-execution.md", "rate-limits.md", "approvals.md", "cost-control.md"]


def chart() -> str:
    """A small picture, as a data URL: bars in two colours."""
    width, height, heights = 240, 90, [70, 35, 52, 20, 80, 44, 61, 30]
    rows = b""
    for y in range(height):
        line = b""
        for x in range(width):
            bar = heights[x * len(heights) // width] > height - y and x % 30 > 6
            line += bytes((63, 74, 216) if bar else (240, 242, 245))
        rows += b"\0" + line
    chunks = b""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        body = kind + data
        chunks += struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunks).decode()


@activity.defn
async def fetch(topic: str) -> list[str]:
    await asyncio.sleep(0.2)
    return DOCUMENTS


@activity.defn
async def embed(document: str) -> int:
    await asyncio.sleep(0.15)
    if activity.info().attempt < 3 and document == DOCUMENTS[1]:
        raise ApplicationError(f"429 Too Many Requests while embedding {document}", type="RateLimited")
    return len(document) * 37


@activity.defn
async def write_report(topic: str) -> str:
    await asyncio.sleep(0.3)
    return REPORT


@activity.defn
async def sync_contacts(source: str) -> None:
    activity.heartbeat({"page": 7, "of": 31})
    raise ApplicationError(f"Upstream {source} answered 503 Service Unavailable", type="UpstreamError")


@activity.defn
async def charge(amount: int) -> None:
    raise ApplicationError(f"Card declined: cannot charge {amount} EUR", type="CardDeclined", non_retryable=True)


@activity.defn
async def ask_model(question: str) -> str:
    await asyncio.sleep(0.4)
    return "It rains in Ulm."


REPORT = """# Durable execution, in short

**Four documents** were read. What they agree on:

1. A run survives the process that runs it.
2. Retries belong to the *engine*, not to the code.
3. Money is counted before it is spent.

| document | chunks | quality |
|---|---|---|
| durable-execution.md | 14 | high |
| rate-limits.md | 9 | high |
| approvals.md | 6 | medium |

> Read the [protocol](https://example.org/protocol) before you disagree.
"""


@workflow.defn
class AnalyseDocument:
    @workflow.run
    async def run(self, document: str) -> dict[str, Any]:
        size = await workflow.execute_activity(
            embed,
            document,
            start_to_close_timeout=SHORT,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=300)),
        )
        return {"document": document, "tokens": size}


@workflow.defn
class ResearchPipeline:
    """Fetch, analyse, wait for a person, write."""

    def __init__(self) -> None:
        self.approved_by = ""
        self.stage = "fetching"

    @workflow.signal
    def approve(self, name: str) -> None:
        """Lets the report be written."""
        self.approved_by = name

    @workflow.query
    def progress(self) -> dict[str, Any]:
        """How far it is."""
        return {"stage": self.stage, "approved_by": self.approved_by}

    @workflow.update
    async def add_source(self, source: str) -> int:
        """One more document to read."""
        DOCUMENTS.append(source)
        return len(DOCUMENTS)

    @workflow.run
    async def run(self, topic: dict[str, Any]) -> str:
        found = await workflow.execute_activity(
            fetch, str(topic["topic"]), start_to_close_timeout=SHORT, summary="Read the sources"
        )
        self.stage = "analysing"
        await asyncio.gather(
            *(
                workflow.execute_child_workflow(AnalyseDocument.run, name, id=f"{workflow.info().workflow_id}/{name}")
                for name in found
            )
        )
        await workflow.sleep(0.6)
        self.stage = "waiting for approval"
        await workflow.wait_condition(lambda: bool(self.approved_by))
        self.stage = "writing"
        return await workflow.execute_activity(write_report, str(topic["topic"]), start_to_close_timeout=SHORT)


@workflow.defn
class SupportAgent:
    @workflow.run
    async def run(self, question: str) -> dict[str, Any]:
        await workflow.execute_activity(ask_model, question, start_to_close_timeout=SHORT)
        return {"messages": CONVERSATION}


@workflow.defn
class SyncContacts:
    @workflow.run
    async def run(self, source: str) -> None:
        await workflow.execute_activity(
            sync_contacts, source, start_to_close_timeout=SHORT,
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=2), maximum_attempts=20),
        )  # fmt: skip


@workflow.defn
class ChargeCustomer:
    @workflow.run
    async def run(self, amount: int) -> None:
        await workflow.execute_activity(charge, amount, start_to_close_timeout=SHORT)


@workflow.defn
class WeeklyNumbers:
    @workflow.run
    async def run(self, week: int) -> list[Any]:
        return [
            {"team": "search", "runs": 412, "failed": 3, "usd": 12.4},
            {"team": "support", "runs": 1290, "failed": 17, "usd": 38.01},
            {"team": "billing", "runs": 88, "failed": 0, "usd": 0.9},
        ]


@workflow.defn
class DrawChart:
    @workflow.run
    async def run(self, week: int) -> str:
        return chart()


WORKFLOWS = [
    AnalyseDocument, ResearchPipeline, SupportAgent, SyncContacts, ChargeCustomer, WeeklyNumbers, DrawChart,
]  # fmt: skip
ACTIVITIES = [fetch, embed, write_report, sync_contacts, charge, ask_model]

CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "You answer travellers. Be brief and say where you looked."},
    {"role": "user", "content": "Do I need an umbrella in **Ulm** tomorrow?"},
    {
        "role": "assistant",
        "reasoning_content": "I need the forecast for Ulm; there is a tool for it.",
        "content": None,
        "tool_calls": [
            {"id": "c1", "function": {"name": "forecast", "arguments": '{"place": "Ulm", "day": "2026-11-24"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": '{"rain_mm": 7.5, "wind_kmh": 22}'},
    {"role": "assistant", "content": "Yes: **7.5 mm** of rain, from the `forecast` tool. Take a coat too."},
]


async def fill(client: Client, ledger: HttpLedger) -> dict[str, str]:
    """Start everything; addresses of the runs that screenshots are made of, by name."""
    found: dict[str, str] = {}

    async def start(kind: str, argument: Any, id: str, queue: str = QUEUE, **more: Any) -> Any:
        handle = await client.start_workflow(kind, argument, id=id, task_queue=queue, **more)
        found[id] = f"/namespaces/default/workflows/{id.replace('/', '%2F')}/{handle.result_run_id}"
        return handle

    for week in range(40):
        await start("WeeklyNumbers", week, f"weekly-{week:02}")
    done = await start("ResearchPipeline", {"topic": "durable execution", "depth": 2}, "research/finished")
    await start("ResearchPipeline", {"topic": "rate limits"}, "research/waiting", memo={"asked by": "maria"},
                static_summary="Rate limits", static_details="For the **platform** team, weekly.")  # fmt: skip
    agent = await start("SupportAgent", "Do I need an umbrella in Ulm tomorrow?", "support/umbrella")
    await start("SyncContacts", "crm.example.org", "sync-contacts")
    await start("ChargeCustomer", 42, "charge-42")
    await start("DrawChart", 47, "chart-47")
    await start("ResearchPipeline", {"topic": "nobody is there"}, "stuck-without-worker", queue="gpu-workers")
    await asyncio.sleep(2.5)
    await done.signal("approve", "maria")
    await done.result()
    await agent.result()
    await _schedules(client)
    await _ledger(ledger, agent.result_run_id, found)
    return found


async def _schedules(client: Client) -> None:
    for name, cron in (("weekly-numbers", "0 6 * * MON"), ("nightly-sync", "30 2 * * *")):
        action = ScheduleActionStartWorkflow("WeeklyNumbers", 1, id=name, task_queue=QUEUE)
        await client.create_schedule(name, Schedule(action=action, spec=ScheduleSpec(cron_expressions=[cron])))


async def _ledger(ledger: HttpLedger, agent_run: str, found: dict[str, str]) -> None:
    await ledger.put_quota(Quota("openai", {"provider": "openai"}, requests=500, tokens=200_000))
    await ledger.put_budget(Budget("research", {"team": "research"}, period="day", hard=5 * NANO, soft=4 * NANO))
    for step in range(3):
        call = Call(
            key=f"{agent_run}/{step}", model="gpt-5-mini", provider="openai", workflow_id="support/umbrella",
            workflow_type="SupportAgent", run=agent_run, step=f"turn {step + 1}", team="support",
        )  # fmt: skip
        result = Result(
            usage=Tokens(input=812 + 400 * step, output=64 + 31 * step, cached=512 * (step > 0), reasoning=20),
            cost=2_100_000 * (step + 1), latency=1.2 + 0.4 * step, first_token=0.31, cache_hit=step == 2,
            saved=1_900_000 if step == 2 else 0, saved_by="cache" if step == 2 else "", record="full",
            prompt=json.dumps(CONVERSATION[: 2 + step]), answer=json.dumps(CONVERSATION[2 + step]),
        )  # fmt: skip
        await ledger.record(call, result)
    for team, model, cost in (
        ("research", "claude-sonnet-5", 38),
        ("research", "gpt-5-mini", 7),
        ("billing", "gpt-5", 4),
    ):
        for n in range(6):
            call = Call(
                key=f"{team}-{model}-{n}", model=model, provider="openai", team=team, workflow_type="ResearchPipeline"
            )
            await ledger.record(call, Result(usage=Tokens(4_000, 900), cost=cost * 10_000_000, latency=2.0))
    asked = int(time.time() * 1000)
    await ledger.ask_approval(
        Approval(
            id="publish-1", title="Publish the report on rate limits?", workflow_id="research/waiting",
            run=found["research/waiting"].rpartition("/")[2], assignee="maria", asked_at=asked,
            deadline=asked + 3 * 3_600_000, details={"pages": 4, "cost": "0.38 USD"},
            schema={"type": "object", "properties": {"title": {"type": "string"}, "public": {"type": "boolean"}}},
            form={"title": "Rate limits, explained", "public": True},
        )
    )  # fmt: skip
