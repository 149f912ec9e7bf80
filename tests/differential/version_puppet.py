"""A scripted client and scripted workers of deployment versions, on raw calls, for either server."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import uuid
from datetime import timedelta
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api import workflowservice
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

AUTO, PINNED = "VERSIONING_BEHAVIOR_AUTO_UPGRADE", "VERSIONING_BEHAVIOR_PINNED"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SHORT_WAIT = re.compile(r"0\.\d+s")
_OWN = {"taskId", "eventTime", "historySizeBytes", "requestId", "conflictToken", "drainageInfo", "drainageStatus"}


class Puppet:
    """Everything of one story on one server, under names of its own."""

    def __init__(self, client: Client) -> None:
        self._service = client.workflow_service
        mark = uuid.uuid4().hex[:8]
        self.deployment, self.queue, self._suffix = f"d{mark}", f"q{mark}", f"w{mark}"
        self.seen: list[Any] = []

    # -- calls

    async def call(self, rpc: str, /, *, seconds: float = 10, **fields: Any) -> Any:
        fields.setdefault("namespace", "default")
        request = ParseDict(fields, getattr(workflowservice.v1, f"{rpc}Request")())
        method = re.sub(r"(?<!^)(?=[A-Z])", "_", rpc).lower()
        return await getattr(self._service, method)(request, timeout=timedelta(seconds=seconds))

    async def outcome(self, what: str, rpc: str, /, **fields: Any) -> None:
        """Note the answer, or the error."""
        try:
            self.note(what, MessageToDict(await self.call(rpc, **fields)))
        except RPCError as error:
            self.note(what, [error.status.name, error.message])

    async def accepted(self, what: str, rpc: str, /, **fields: Any) -> None:
        """Note the error, or that there is none: Temporal's server answers as to a repetition if it tried twice."""
        await self.outcome(what, rpc, **fields)
        answer = self.seen[-1][1]
        if isinstance(answer, dict):
            self.seen[-1] = (what, "accepted")

    def note(self, what: str, value: Any) -> None:
        self.seen.append((what, self._clean(value)))

    def _clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {"data", "metadata"}:
                return self._clean(json.loads(base64.b64decode(value["data"])))
            return {key: self._clean(each) for key, each in value.items() if key not in _OWN}
        if isinstance(value, list):
            return [self._clean(each) for each in value]
        if not isinstance(value, str):
            return value
        for own, name in ((self.deployment, "D"), (self.queue, "Q"), (self._suffix, "")):
            value = value.replace(own, name)
        value = _UUID.sub("<uuid>", "<time>" if _TIME.match(value) else value)
        return "<short>" if _SHORT_WAIT.fullmatch(value) else value

    # -- deployments

    def version(self, build: str) -> dict[str, str]:
        return {"deploymentName": self.deployment, "buildId": build}

    def _options(self, build: str) -> dict[str, str]:
        return {**self.version(build), "workerVersioningMode": "WORKER_VERSIONING_MODE_VERSIONED"}

    async def register(self, *builds: str) -> None:
        """Have workers of the builds poll both kinds of the queue once, one build after the other."""
        for build in builds:
            await asyncio.gather(*(self.poll(build, seconds=3, activities=kind) for kind in (False, True)))

    async def set_current(self, build: str) -> None:
        await self.call(
            "SetWorkerDeploymentCurrentVersion", deployment_name=self.deployment, build_id=build, identity="me"
        )
        await self._routed("currentDeploymentVersion", build)

    async def set_ramping(self, build: str, percentage: float) -> None:
        await self.call(
            "SetWorkerDeploymentRampingVersion",
            deployment_name=self.deployment,
            build_id=build,
            percentage=percentage,
            identity="me",
        )
        await self._routed("rampingDeploymentVersion", build)

    async def _routed(self, field: str, build: str) -> None:
        """Wait until both kinds of the queue know: Temporal's server tells them later."""
        for kind in ("TASK_QUEUE_TYPE_WORKFLOW", "TASK_QUEUE_TYPE_ACTIVITY"):
            async with asyncio.timeout(15):
                while True:
                    told = await self.call("DescribeTaskQueue", task_queue={"name": self.queue}, task_queue_type=kind)
                    info = MessageToDict(told)["versioningInfo"]
                    if info.get(field, {}).get("buildId", "") == build:
                        break
                    await asyncio.sleep(0.1)
        await asyncio.sleep(1.1)  # its history service caches the routing for up to a second

    async def describe(self, label: str, *builds: str) -> None:
        """Note the deployment and these versions, once what runs dry has been told."""
        await asyncio.sleep(1)
        deployment = await self.call("DescribeWorkerDeployment", deployment_name=self.deployment)
        self.note(label, MessageToDict(deployment))
        for build in builds:
            described = await self.call("DescribeWorkerDeploymentVersion", deployment_version=self.version(build))
            info = MessageToDict(described)["workerDeploymentVersionInfo"]
            info["taskQueueInfos"] = sorted(each["type"] for each in info.get("taskQueueInfos", ()))
            self.note(f"{label}: {build}", info)

    # -- runs

    def workflow(self, name: str) -> str:
        return name + self._suffix

    async def start(self, name: str, **fields: Any) -> None:
        await self.call(
            "StartWorkflowExecution",
            workflow_id=self.workflow(name),
            workflow_type={"name": "W"},
            task_queue={"name": self.queue},
            request_id=str(uuid.uuid4()),
            **fields,
        )

    async def started(self, name: str) -> None:
        """Wait for a child; note how it begins."""
        async with asyncio.timeout(10):
            while True:
                try:
                    await self.run_info(name, "started")
                    break
                except RPCError as error:
                    if error.status != RPCStatusCode.NOT_FOUND:
                        raise
                    await asyncio.sleep(0.1)
        read = await self.call("GetWorkflowExecutionHistory", execution={"workflowId": self.workflow(name)})
        self.note(f"first event of {name}", MessageToDict(read)["history"]["events"][0])

    async def signal(self, name: str) -> None:
        execution = {"workflowId": self.workflow(name)}
        await self.call("SignalWorkflowExecution", workflow_execution=execution, signal_name="s")

    async def terminate(self, name: str) -> None:
        await self.call("TerminateWorkflowExecution", workflow_execution={"workflowId": self.workflow(name)})

    async def run_info(self, name: str, label: str) -> None:
        """Note what the run says of versions."""
        described = MessageToDict(
            await self.call("DescribeWorkflowExecution", execution={"workflowId": self.workflow(name)})
        )
        info = described["workflowExecutionInfo"]
        names = ("versioningInfo", "workerDeploymentName", "searchAttributes")
        self.note(f"{name} {label}", {key: info.get(key) for key in names})
        self.note(f"{name} {label}, activities", [each["state"] for each in described.get("pendingActivities", ())])

    async def history(self, name: str) -> None:
        execution = {"workflowId": self.workflow(name)}
        read = await self.call("GetWorkflowExecutionHistory", execution=execution)
        self.note(f"history of {name}", MessageToDict(read)["history"]["events"])

    # -- workers

    async def poll(self, build: str, *, seconds: float = 8, activities: bool = False, sticky: str = "") -> Any:
        """A task for a worker of the build ("": without one); None if there is none."""
        queue: dict[str, str] = {"name": self.queue}
        if sticky:
            queue = {"name": sticky, "kind": "TASK_QUEUE_KIND_STICKY", "normalName": self.queue}
        fields: dict[str, Any] = {"task_queue": queue, "identity": "worker"}
        if build:
            fields["deployment_options"] = self._options(build)
        rpc = "PollActivityTaskQueue" if activities else "PollWorkflowTaskQueue"
        try:
            task = await self.call(rpc, seconds=seconds, **fields)
        except RPCError as error:
            if error.status in (RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED):
                return None
            raise
        return task if task.task_token else None

    async def complete(self, task: Any, build: str, behavior: str, *commands: Any, **fields: Any) -> None:
        assert task is not None, f"no task came for {build or 'an unversioned worker'}; seen so far: {self.seen[-3:]}"
        if build:
            fields |= {"versioning_behavior": behavior, "deployment_options": self._options(build)}
        token = base64.b64encode(task.task_token).decode()
        await self.call(
            "RespondWorkflowTaskCompleted", task_token=token, identity="worker", commands=list(commands), **fields
        )

    async def step(self, build: str, behavior: str, *commands: Any, **fields: Any) -> None:
        """Take a task and complete it."""
        await self.complete(await self.poll(build), build, behavior, *commands, **fields)

    async def fail_task(self, build: str) -> None:
        token = base64.b64encode((await self.poll(build)).task_token).decode()
        await self.call(
            "RespondWorkflowTaskFailed",
            task_token=token,
            cause="WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE",
            identity="worker",
            deployment_options=self._options(build),
        )

    def sticky(self) -> dict[str, Any]:
        queue = {"name": self.workflow("sticky"), "kind": "TASK_QUEUE_KIND_STICKY", "normalName": self.queue}
        return {"sticky_attributes": {"workerTaskQueue": queue, "scheduleToStartTimeout": "10s"}}

    # -- commands

    def activity(self) -> dict[str, Any]:
        attributes = {
            "activityId": "a",
            "activityType": {"name": "A"},
            "taskQueue": {"name": self.queue},
            "startToCloseTimeout": "10s",
        }
        return _command("SCHEDULE_ACTIVITY_TASK", "scheduleActivityTask", attributes)

    def continue_as_new(self, **more: Any) -> dict[str, Any]:
        attributes = {"workflowType": {"name": "W"}, "taskQueue": {"name": self.queue}, **more}
        return _command("CONTINUE_AS_NEW_WORKFLOW_EXECUTION", "continueAsNewWorkflowExecution", attributes)

    def child(self, name: str, **more: Any) -> dict[str, Any]:
        attributes = {
            "namespace": "default",
            "workflowId": self.workflow(name),
            "workflowType": {"name": "W"},
            "taskQueue": {"name": self.queue},
            **more,
        }
        return _command("START_CHILD_WORKFLOW_EXECUTION", "startChildWorkflowExecution", attributes)

    def fail(self) -> dict[str, Any]:
        failure = {"message": "no", "applicationFailureInfo": {}}
        return _command("FAIL_WORKFLOW_EXECUTION", "failWorkflowExecution", {"failure": failure})

    def pinned(self, build: str) -> dict[str, Any]:
        return {"pinned": {"behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED", "version": self.version(build)}}


def _command(kind: str, name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"commandType": f"COMMAND_TYPE_{kind}", f"{name}CommandAttributes": attributes}
