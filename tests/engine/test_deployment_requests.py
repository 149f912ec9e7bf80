"""Worker deployments over raw gRPC, without workers: what is asked, answered, refused and kept."""

from __future__ import annotations

import re
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api import workflowservice
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from outlive.server import Server

Code = RPCStatusCode


class Asker:
    """Calls by name, with the fields of the request."""

    def __init__(self, client: Client) -> None:
        self._service = client.workflow_service

    async def __call__(self, rpc: str, /, **fields: Any) -> dict[str, Any]:
        request = ParseDict({"namespace": "default", **fields}, getattr(workflowservice.v1, f"{rpc}Request")())
        method = re.sub(r"(?<!^)(?=[A-Z])", "_", rpc).lower()
        return MessageToDict(await getattr(self._service, method)(request))

    async def refused(self, code: RPCStatusCode, words: str, rpc: str, /, **fields: Any) -> None:
        with pytest.raises(RPCError, match=re.escape(words)) as error:
            await self(rpc, **fields)
        assert error.value.status == code


@pytest.fixture
def ask(client: Client) -> Asker:
    return Asker(client)


async def test_pages_of_deployments_hold_each_once(ask: Asker) -> None:
    names = [f"d{number}" for number in range(7)]
    for name in names:
        await ask("CreateWorkerDeployment", deployment_name=name)
    found: list[str] = []
    token = ""
    while True:
        page = await ask("ListWorkerDeployments", page_size=3, next_page_token=token)
        found += [each["name"] for each in page["workerDeployments"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
        if len(found) == 3:  # what comes and goes meanwhile moves nothing
            await ask("CreateWorkerDeployment", deployment_name="later")
            await ask("DeleteWorkerDeployment", deployment_name="d6")
    assert found == names[::-1]
    await ask.refused(Code.INVALID_ARGUMENT, "Invalid NextPageToken", "ListWorkerDeployments", next_page_token="AAAA")


async def test_a_creation_is_repeated_by_its_request_id(ask: Asker) -> None:
    first = await ask("CreateWorkerDeployment", deployment_name="d", request_id="r")
    assert await ask("CreateWorkerDeployment", deployment_name="d", request_id="r") == first
    for request_id in ("s", ""):
        await ask.refused(
            Code.ALREADY_EXISTS,
            'name "d" already',
            "CreateWorkerDeployment",
            deployment_name="d",
            request_id=request_id,
        )
    version = {"deploymentName": "d", "buildId": "b"}
    await ask("CreateWorkerDeploymentVersion", deployment_version=version, request_id="r")
    await ask("CreateWorkerDeploymentVersion", deployment_version=version, request_id="r")
    await ask.refused(
        Code.ALREADY_EXISTS,
        '"d.b" already',
        "CreateWorkerDeploymentVersion",
        deployment_version=version,
        request_id="s",
    )


async def test_conflict_tokens_go_from_change_to_change(ask: Asker) -> None:
    token = (await ask("CreateWorkerDeployment", deployment_name="d"))["conflictToken"]
    await ask("CreateWorkerDeploymentVersion", deployment_version={"deploymentName": "d", "buildId": "b"})
    change = {"deployment_name": "d", "build_id": "b", "identity": "me"}
    after = await ask("SetWorkerDeploymentCurrentVersion", **change, conflict_token=token)
    assert after["conflictToken"] == (await ask("DescribeWorkerDeployment", deployment_name="d"))["conflictToken"]
    unset = {"deployment_name": "d", "identity": "me"}
    await ask.refused(
        Code.FAILED_PRECONDITION, "token mismatch", "SetWorkerDeploymentCurrentVersion", **unset, conflict_token=token
    )
    done = await ask("SetWorkerDeploymentCurrentVersion", **unset, conflict_token=after["conflictToken"])
    assert done["previousDeploymentVersion"] == {"deploymentName": "d", "buildId": "b"}


async def test_what_is_created_is_deleted_again(ask: Asker) -> None:
    version = {"deploymentName": "d", "buildId": "b"}
    await ask("CreateWorkerDeployment", deployment_name="d")
    await ask("CreateWorkerDeploymentVersion", deployment_version=version)
    await ask.refused(Code.FAILED_PRECONDITION, "has versions", "DeleteWorkerDeployment", deployment_name="d")
    await ask("DeleteWorkerDeploymentVersion", deployment_version=version)
    await ask.refused(
        Code.NOT_FOUND, "Version not found", "DescribeWorkerDeploymentVersion", deployment_version=version
    )
    await ask("DeleteWorkerDeployment", deployment_name="d")
    await ask.refused(Code.NOT_FOUND, "no Worker Deployment found", "DescribeWorkerDeployment", deployment_name="d")
    await ask("DeleteWorkerDeployment", deployment_name="d")


async def test_deployments_of_namespaces_are_apart(server: Server, ask: Asker) -> None:
    await ask("RegisterNamespace", namespace="other", workflow_execution_retention_period="86400s")
    await ask("CreateWorkerDeployment", deployment_name="d")
    await ask.refused(
        Code.NOT_FOUND, "no Worker Deployment found", "DescribeWorkerDeployment", namespace="other", deployment_name="d"
    )
    assert await ask("ListWorkerDeployments", namespace="other") == {}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"buildId": "b"}, "Deployment name and build id must be set together."),
        ({"deploymentName": "d"}, "Deployment name and build id must be set together."),
        ({"deploymentName": "a.b", "buildId": "b"}, "worker deployment name cannot contain '.'"),
        ({"deploymentName": "d", "buildId": "__b"}, "BuildID cannot start with '__'"),
        ({"deploymentName": "d", "buildId": "b" * 481}, "size of BuildID larger than the maximum allowed"),
    ],
)
async def test_a_poll_by_no_version_is_refused(ask: Asker, options: dict[str, str], words: str) -> None:
    options = {**options, "workerVersioningMode": "WORKER_VERSIONING_MODE_VERSIONED"}
    for rpc in ("PollWorkflowTaskQueue", "PollActivityTaskQueue"):
        await ask.refused(Code.INVALID_ARGUMENT, words, rpc, task_queue={"name": "q"}, deployment_options=options)
    assert await ask("ListWorkerDeployments") == {}


async def test_compute_configurations_need_a_provider_that_is_not_here(ask: Asker) -> None:
    await ask("CreateWorkerDeployment", deployment_name="d")
    version = {"deploymentName": "d", "buildId": "b"}
    group = {"provider": {"type": "aws-lambda"}}
    words = "g: Could not instantiate compute provider with type 'aws-lambda'"
    await ask.refused(
        Code.INVALID_ARGUMENT,
        words,
        "CreateWorkerDeploymentVersion",
        deployment_version=version,
        compute_config={"scalingGroups": {"g": group}},
    )
    await ask("CreateWorkerDeploymentVersion", deployment_version=version)
    for verb in ("Update", "Validate"):
        rpc = f"{verb}WorkerDeploymentVersionComputeConfig"
        groups = {"g": {"scalingGroup": group}}
        await ask.refused(
            Code.INVALID_ARGUMENT, words, rpc, deployment_version=version, compute_config_scaling_groups=groups
        )


@pytest.mark.parametrize(
    "rpc",
    [
        "DescribeDeployment",
        "ListDeployments",
        "GetDeploymentReachability",
        "GetCurrentDeployment",
        "SetCurrentDeployment",
    ],
)
async def test_the_first_generation_points_to_the_second(ask: Asker, rpc: str) -> None:
    await ask.refused(Code.UNIMPLEMENTED, "use Worker Deployments instead", rpc)
