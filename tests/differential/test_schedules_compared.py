"""Schedules on both servers: the same requests lead to the same counts, states and actions."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import temporalio.api.workflowservice.v1 as protocol
from google.protobuf import json_format
from temporalio.client import Client
from temporalio.service import RPCError

COUNTS = ("actionCount", "overlapSkipped", "bufferSize", "bufferDropped", "missedCatchupWindow")
PAUSED = {"paused": True}
SECOND = 1.2  # triggers within one second would share a workflow id on Temporal's server


def overlap(name: str) -> str:
    return f"SCHEDULE_OVERLAP_POLICY_{name}"


def past(first: str, last: str, policy: str = "") -> dict[str, str]:
    """A backfill of the first of January 2026."""
    own = {"overlapPolicy": overlap(policy)} if policy else {}
    return {"startTime": f"2026-01-01T{first}Z", "endTime": f"2026-01-01T{last}Z", **own}


class Puppet:
    """One schedule on one server, the worker of its workflows, and what was seen."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.id = uuid.uuid4().hex[:8]
        self.seen: list[Any] = []

    async def call(self, rpc: str, **fields: Any) -> Any:
        """The answer as JSON."""
        request = json_format.ParseDict({"namespace": "default", **fields}, getattr(protocol, f"{rpc}Request")())
        name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in rpc).lstrip("_")
        return json_format.MessageToDict(await getattr(self._client.workflow_service, name)(request))

    def _schedule(self, **parts: Any) -> dict[str, Any]:
        start = {"workflowId": self.id, "workflowType": {"name": "T"}, "taskQueue": {"name": self.id}}
        return {
            "spec": parts.get("spec", {"interval": [{"interval": "3600s"}]}),
            "action": {"startWorkflow": {**start, **parts.get("action", {})}} if parts.get("action") != 0 else {},
            "policies": parts.get("policies", {}),
            "state": parts.get("state", {}),
        }

    async def create(self, patch: dict[str, Any] | None = None, **parts: Any) -> None:
        more = {"initialPatch": patch} if patch else {}
        await self.call(
            "CreateSchedule", scheduleId=self.id, schedule=self._schedule(**parts), requestId="create", **more
        )

    async def update(self, **parts: Any) -> None:
        await self.call(
            "UpdateSchedule", scheduleId=self.id, schedule=self._schedule(**parts), requestId=str(uuid.uuid4())
        )
        await asyncio.sleep(0.5)  # Temporal's server answers before it has updated

    async def patch(self, **patch: Any) -> None:
        await self.call("PatchSchedule", scheduleId=self.id, patch=patch, requestId=str(uuid.uuid4()))
        await asyncio.sleep(SECOND)

    async def trigger(self, *policies: str) -> None:
        for policy in policies or ("",):
            await self.patch(triggerImmediately={"overlapPolicy": overlap(policy)} if policy else {})

    async def end(self, command: str) -> None:
        """Complete, fail or cancel the running workflow."""
        attributes = {"failure": {"message": "broken"}} if command == "fail" else {}
        running = [each["workflowId"] for each in (await self.describe())["info"]["runningWorkflows"]]
        while True:  # past the tasks of those beside it
            task = await self.call("PollWorkflowTaskQueue", taskQueue={"name": self.id}, identity="puppet")
            if task["workflowExecution"]["workflowId"] in running:
                break
        await self.call(
            "RespondWorkflowTaskCompleted",
            taskToken=task["taskToken"],
            commands=[
                {
                    "commandType": f"COMMAND_TYPE_{command.upper()}_WORKFLOW_EXECUTION",
                    f"{command}WorkflowExecutionCommandAttributes": attributes,
                }
            ],
        )
        await self.settle()

    async def settle(self) -> None:
        """Temporal's server looks at a workflow's end when the schedule is described."""
        await asyncio.sleep(1)
        await self.describe()
        await asyncio.sleep(1)

    async def describe(self) -> Any:
        return await self.call("DescribeSchedule", scheduleId=self.id)

    async def look(self, *, times: bool = False) -> None:
        """Take down what the schedule has done."""
        described = await self.describe()
        info, schedule = described["info"], described["schedule"]
        recent = info.get("recentActions", [])
        self.seen.append(
            {
                "counts": {name: info[name] for name in COUNTS if name in info},
                "running": len(info.get("runningWorkflows", [])),
                "recent": [action["scheduleTime"] for action in recent] if times else len(recent),
                "future": len(info.get("futureActionTimes", [])),
                "state": schedule.get("state", {}),
                "policies": schedule.get("policies", {}),
                "updated": "updateTime" in info,
                "token": base64.b64decode(described["conflictToken"]),
            }
        )


Case = Callable[[Puppet], Awaitable[None]]


async def trigger_with_limited_actions(p: Puppet) -> None:
    await p.create(state={"limitedActions": True, "remainingActions": "2"})
    await p.trigger("ALLOW_ALL")
    await p.look()


async def buffered_and_then_paused(p: Puppet) -> None:
    await p.create(spec={"interval": [{"interval": "1s"}]}, policies={"overlapPolicy": overlap("BUFFER_ALL")})
    await asyncio.sleep(2.5)
    await p.patch(pause="p")
    await p.end("complete")
    await p.look()


async def every_policy_in_a_row(p: Puppet) -> None:
    await p.create(state=PAUSED)
    await p.trigger("", "BUFFER_ONE", "BUFFER_ONE", "BUFFER_ALL", "ALLOW_ALL", "SKIP")
    await p.look()
    await p.end("complete")
    await p.look()


async def another_policy_for_what_waits(p: Puppet) -> None:
    await p.create(state=PAUSED, policies={"overlapPolicy": overlap("BUFFER_ALL")})
    await p.trigger("", "", "")
    await p.look()
    await p.update(state=PAUSED, policies={"overlapPolicy": overlap("SKIP")})
    await p.look()


async def backfills(p: Puppet) -> None:
    await p.create(state=PAUSED)
    await p.patch(backfillRequest=[past("00:00:00", "05:00:00", "BUFFER_ALL"), past("00:00:00", "02:00:00")])
    await p.look(times=True)


async def backfill_of_one_moment(p: Puppet) -> None:
    await p.create(state=PAUSED)
    await p.patch(backfillRequest=[past("01:00:00", "01:00:00")])
    await p.look(times=True)


async def backfill_between_times(p: Puppet) -> None:
    await p.create(state=PAUSED)
    await p.patch(backfillRequest=[past("01:00:00.5", "03:59:59.9", "ALLOW_ALL")])
    await p.look(times=True)


async def backfill_that_terminates(p: Puppet) -> None:
    await p.create(state=PAUSED)
    await p.patch(backfillRequest=[past("00:00:00", "03:00:00", "TERMINATE_OTHER")])
    await p.settle()
    await p.look(times=True)


async def initial_backfill(p: Puppet) -> None:
    await p.create({"backfillRequest": [past("00:00:00", "02:00:00", "ALLOW_ALL")], "unpause": "go"}, state=PAUSED)
    await asyncio.sleep(2)
    await p.look(times=True)


async def cancelled_twice(p: Puppet) -> None:
    await p.create(state=PAUSED)
    await p.trigger("", "CANCEL_OTHER", "CANCEL_OTHER")
    await p.look()
    await p.end("cancel")
    await p.look()


async def terminated(p: Puppet) -> None:
    await p.create(state=PAUSED)
    await p.trigger("", "TERMINATE_OTHER")
    await p.settle()
    await p.look()


async def paused_by_a_failure(p: Puppet) -> None:
    await p.create(policies={"pauseOnFailure": True})
    await p.trigger()
    await p.end("cancel")
    await p.look()
    await p.trigger()
    await p.end("fail")
    state = (await p.describe())["schedule"]["state"]
    p.seen.append((state["paused"], state["notes"].partition(":")[0]))


async def paused_by_a_time_out(p: Puppet) -> None:
    await p.create(policies={"pauseOnFailure": True}, action={"workflowRunTimeout": "1s"})
    await p.trigger()
    await p.settle()
    await p.settle()
    state = (await p.describe())["schedule"]["state"]
    p.seen.append((state.get("paused"), state.get("notes", "").partition(":")[0]))


async def without_an_action(p: Puppet) -> None:
    await p.create(action=0, spec={"interval": [{"interval": "1s"}]})
    await asyncio.sleep(2.3)
    await p.trigger()
    await p.look()


async def trigger_of_another_time(p: Puppet) -> None:
    await p.create(state=PAUSED)
    await p.patch(triggerImmediately={"scheduledTime": "2026-02-03T04:05:06.7Z"})
    await p.look(times=True)
    (action,) = (await p.describe())["info"]["recentActions"]
    p.seen.append(action["startWorkflowResult"]["workflowId"].removeprefix(p.id))


async def pausing_and_unpausing(p: Puppet) -> None:
    await p.create()
    for patch in ({"unpause": "u"}, {"pause": "p"}, {"pause": "p", "unpause": "u2"}, {}):
        await p.patch(**patch)
        await p.look()


async def new_actions_by_an_update(p: Puppet) -> None:
    limited = {
        "spec": {"interval": [{"interval": "1s"}]},
        "policies": {"overlapPolicy": overlap("ALLOW_ALL")},
        "state": {"limitedActions": True, "remainingActions": "1"},
    }
    await p.create(**limited)
    await asyncio.sleep(2.5)
    await p.look()
    await p.update(**limited)
    await asyncio.sleep(2.5)
    await p.look()


async def refused(p: Puppet) -> None:
    for parts in (
        {"spec": {"cronString": ["x"]}},
        {"action": {"cronSchedule": "* * * * *"}},
        {"action": {"taskQueue": {}}},
    ):
        try:
            await p.create(**parts)
        except RPCError as error:
            p.seen.append(error.status)


CASES: list[Case] = [
    trigger_with_limited_actions,
    buffered_and_then_paused,
    every_policy_in_a_row,
    another_policy_for_what_waits,
    backfills,
    backfill_of_one_moment,
    backfill_between_times,
    backfill_that_terminates,
    initial_backfill,
    cancelled_twice,
    terminated,
    paused_by_a_failure,
    paused_by_a_time_out,
    without_an_action,
    trigger_of_another_time,
    pausing_and_unpausing,
    new_actions_by_an_update,
    refused,
]


@pytest.mark.timeout(180)
async def test_schedules_act_the_same(grpc_pair: tuple[Client, Client]) -> None:
    at_once = asyncio.Semaphore(6)

    async def run(case: Case) -> tuple[list[Any], list[Any]]:
        async with at_once:
            there, here = (Puppet(client) for client in grpc_pair)
            await asyncio.gather(case(there), case(here))
            assert there.seen, f"{case.__name__} takes something down"
            return there.seen, here.seen

    seen = await asyncio.gather(*map(run, CASES))
    assert {case.__name__: here for case, (_, here) in zip(CASES, seen, strict=True)} == {
        case.__name__: there for case, (there, _) in zip(CASES, seen, strict=True)
    }
