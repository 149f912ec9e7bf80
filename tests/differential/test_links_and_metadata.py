"""Links, user metadata and headers: the same requests and commands on both servers leave the same in histories and
answers, wherever the protocol carries them.
"""

from __future__ import annotations

import re
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from temporalio.api import workflowservice
from temporalio.api.command.v1 import Command
from temporalio.client import Client
from temporalio.service import RPCError

v1 = workflowservice.v1

_RUN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_OWN = {
    *("eventTime", "taskId", "identity", "startedTime", "historySizeBytes", "prevAutoResetPoints"),
    "firstWorkflowTaskBackoff",
}
_TEXT = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "InRleHQi"}
_METADATA = {"summary": _TEXT, "details": _TEXT}
_HEADER = {"fields": {"h": _TEXT}}
_LINKS = [
    {
        "workflowEvent": {
            "namespace": "other",
            "workflowId": "o",
            "runId": "r",
            "eventRef": {"eventId": "3", "eventType": "EVENT_TYPE_TIMER_STARTED"},
        }
    },
    {"batchJob": {"jobId": "j"}},
]
_PAYLOADS = {"payloads": [_TEXT]}
_START = {"workflowType": {"name": "T"}, "taskQueue": {"name": "links"}, "identity": "me"}


def normal(value: Any) -> Any:
    """Without what two servers cannot have in common."""
    if isinstance(value, dict):
        return {key: normal(each) for key, each in value.items() if key not in _OWN}
    if isinstance(value, list):
        return [normal(each) for each in value]
    return _RUN.sub("<id>", value) if isinstance(value, str) else value


class Story:
    """What one server was asked, and what it said."""

    def __init__(self, client: Client) -> None:
        self._service = client.workflow_service
        self.told: list[Any] = []

    async def call(self, rpc: str, **fields: Any) -> Message:
        request = getattr(v1, rpc + "Request")()
        ParseDict({"namespace": "default", **fields}, request)
        name = re.sub(r"(?<!^)([A-Z])", r"_\1", rpc).lower()
        response: Message = await getattr(self._service, name)(request)
        return response

    async def ask(self, rpc: str, **fields: Any) -> None:
        """A call whose answer is told."""
        try:
            self.told.append((rpc, normal(MessageToDict(await self.call(rpc, **fields)))))
        except RPCError as error:
            self.told.append((rpc, error.status.name))

    async def step(self, *commands: dict[str, Any]) -> Any:
        """Take a workflow task and complete it."""
        task: Any = await self.call("PollWorkflowTaskQueue", taskQueue={"name": "links"}, identity="worker")
        request = v1.RespondWorkflowTaskCompletedRequest(namespace="default", task_token=task.task_token)
        request.commands.extend(ParseDict(command, Command()) for command in commands)
        await self._service.respond_workflow_task_completed(request)
        return task

    async def history(self, workflow_id: str, *, first: bool = False) -> None:
        """Tell all events, of the last run or of the first of its chain."""
        execution = {"workflowId": workflow_id}
        answer: Any = await self.call("GetWorkflowExecutionHistory", execution=execution)
        if first:
            run_id = answer.history.events[0].workflow_execution_started_event_attributes.first_execution_run_id
            answer = await self.call("GetWorkflowExecutionHistory", execution={**execution, "runId": run_id})
        for event in answer.history.events:
            self.told.append((workflow_id, normal(MessageToDict(event))))

    async def described(self, workflow_id: str) -> None:
        answer: Any = await self.call("DescribeWorkflowExecution", execution={"workflowId": workflow_id})
        extended = MessageToDict(answer.workflow_extended_info)
        config = MessageToDict(answer.execution_config)
        infos = extended.get("requestIdInfos", {}).values()
        started = [info for info in infos if info["eventType"].endswith("_STARTED")]  # signals: by a switch there
        self.told.append((workflow_id, started, config.get("userMetadata")))


def command(kind: str, attributes: dict[str, Any], *, metadata: bool = True) -> dict[str, Any]:
    camel = re.sub(r"_(.)", lambda match: match[1].upper(), kind.lower())
    result = {"commandType": f"COMMAND_TYPE_{kind}", f"{camel}CommandAttributes": attributes}
    return {**result, "userMetadata": _METADATA} if metadata else result


async def requests(story: Story) -> None:
    """What clients send."""
    target = {"workflowExecution": {"workflowId": "w"}}
    carried = {"header": _HEADER, "links": _LINKS}
    await story.ask(
        "StartWorkflowExecution", workflowId="w", requestId="1", userMetadata=_METADATA, **_START, **carried
    )
    await story.described("w")
    await story.ask("SignalWorkflowExecution", signalName="s", requestId="2", identity="me", **target, **carried)
    await story.ask("SignalWorkflowExecution", signalName="s", identity="me", **target)
    await story.ask(
        "SignalWithStartWorkflowExecution", workflowId="w", signalName="s", requestId="3", **_START, **carried
    )
    await story.ask("RequestCancelWorkflowExecution", requestId="4", identity="me", links=_LINKS, **target)
    await story.described("w")
    await story.ask("TerminateWorkflowExecution", identity="me", links=_LINKS, **target)
    await story.history("w")
    await story.ask(
        "SignalWithStartWorkflowExecution",
        workflowId="sws",
        signalName="s",
        requestId="5",
        userMetadata=_METADATA,
        **_START,
        **carried,
    )
    await story.history("sws")
    await story.ask("TerminateWorkflowExecution", identity="me", workflowExecution={"workflowId": "sws"})


async def commands(story: Story) -> None:
    """What workers send."""
    await story.call("StartWorkflowExecution", workflowId="c", requestId="6", **_START)
    await story.step(
        command("START_TIMER", {"timerId": "t", "startToFireTimeout": "3600s"}),
        command(
            "SCHEDULE_ACTIVITY_TASK",
            {
                "activityId": "a",
                "activityType": {"name": "A"},
                "taskQueue": {"name": "links"},
                "scheduleToCloseTimeout": "60s",
                "header": _HEADER,
            },
        ),
        command("RECORD_MARKER", {"markerName": "m", "header": _HEADER}),
        command(
            "START_CHILD_WORKFLOW_EXECUTION",
            {
                "workflowId": "child",
                "workflowType": {"name": "T"},
                "taskQueue": {"name": "elsewhere"},
                "header": _HEADER,
                "parentClosePolicy": "PARENT_CLOSE_POLICY_TERMINATE",
            },
        ),
        command("MODIFY_WORKFLOW_PROPERTIES", {"upsertedMemo": {"fields": {"k": _TEXT}}}),
    )
    task: Any = await story.call("PollActivityTaskQueue", taskQueue={"name": "links"}, identity="worker")
    story.told.append(("activity", MessageToDict(task.header)))
    query = {"queryType": "q", "queryArgs": _PAYLOADS, "header": _HEADER}
    story.told.append(("query", query["queryType"]))
    await story.step()
    await story.call(
        "RespondActivityTaskCompleted", taskToken=MessageToDict(task)["taskToken"], result=_PAYLOADS, identity="worker"
    )
    await story.step(
        command(
            "CONTINUE_AS_NEW_WORKFLOW_EXECUTION",
            {"workflowType": {"name": "T"}, "taskQueue": {"name": "links"}, "header": _HEADER},
        )
    )
    await story.history("c", first=True)
    await story.history("c")
    await story.described("c")
    await story.step(command("COMPLETE_WORKFLOW_EXECUTION", {"result": _PAYLOADS}))
    await story.history("c")
    answer: Any = await story.call("GetWorkflowExecutionHistory", execution={"workflowId": "child"})
    story.told.append(("child", normal(MessageToDict(answer.history.events[0]))))


async def ends(story: Story) -> None:
    """The commands that end a workflow, or something of it."""
    closing = {
        "f": command("FAIL_WORKFLOW_EXECUTION", {"failure": {"message": "m", "applicationFailureInfo": {}}}),
        "x": command("CANCEL_WORKFLOW_EXECUTION", {"details": _PAYLOADS}),
    }
    for workflow_id, close in closing.items():
        await story.call("StartWorkflowExecution", workflowId=workflow_id, requestId=workflow_id, **_START)
        timer, activity = {"timerId": "t", "startToFireTimeout": "3600s"}, {"activityId": "a"}
        activity |= {"activityType": {"name": "A"}, "taskQueue": {"name": "idle"}, "scheduleToCloseTimeout": "60s"}
        await story.step(command("START_TIMER", timer), command("SCHEDULE_ACTIVITY_TASK", activity))
        await story.call("SignalWorkflowExecution", workflowExecution={"workflowId": workflow_id}, signalName="s")
        await story.step(
            command("CANCEL_TIMER", {"timerId": "t"}),
            command("REQUEST_CANCEL_ACTIVITY_TASK", {"scheduledEventId": "6"}),
            command("REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION", {"namespace": "default", "workflowId": "nobody"}),
        )
        nobody = {"namespace": "default", "execution": {"workflowId": "nobody"}, "signalName": "s", "header": _HEADER}
        await story.step(command("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION", nobody))
        await story.step(close)
        await story.history(workflow_id)


async def told(client: Client) -> list[Any]:
    story = Story(client)
    await requests(story)
    await commands(story)
    await ends(story)
    return story.told


async def test_the_same_is_kept(grpc_pair: tuple[Client, Client]) -> None:
    there, here = await told(grpc_pair[0]), await told(grpc_pair[1])
    assert len(there) > 20
    different = [f"there {a}\nhere  {b}" for a, b in zip(there, here, strict=False) if a != b]
    assert not different, "\n".join(different)
    assert len(there) == len(here)
