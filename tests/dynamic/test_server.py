"""Dynamic configuration of a running server: limits and switches, by namespace, changed while it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from outlive.config import ServerConfig
from outlive.server import Server

START = {"workflowType": {"name": "T"}, "taskQueue": {"name": "q"}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("")
    return path


@pytest.fixture
async def server(tmp_path: Path, file: Path) -> AsyncIterator[Server]:
    server = Server(ServerConfig(port=0, http_port=0, namespaces=("small",), dynamic_config_file=file))
    await server.start()
    yield server
    await server.stop(0)


async def ask(server: Server, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.http_port}", timeout=20) as http:
        answer = await http.request(method, f"/api/v1/namespaces/{path}", json=body)
        return answer.status_code, answer.json()


async def test_limits_by_namespace_change_while_the_server_runs(server: Server, file: Path) -> None:
    big = {**START, "input": ["x" * 500]}
    assert (await ask(server, "POST", "small/workflows/a", big))[0] == 200
    file.write_text("limit.blobSize.error:\n- value: 400\n  constraints: {namespace: small}\n")
    server.reload_config()
    status, error = await ask(server, "POST", "small/workflows/b", big)
    assert (status, error["message"]) == (400, "Blob data size exceeds limit.")
    assert (await ask(server, "POST", "default/workflows/b", big))[0] == 200
    _, described = await ask(server, "GET", "small")
    assert described["namespaceInfo"]["limits"]["blobSizeLimitError"] == "400"
    file.write_text("limit.blobSize.error: [{value: nothing}]\n")
    server.reload_config()  # refused: what was stays
    assert (await ask(server, "POST", "small/workflows/b", big))[0] == 400
    file.write_text("")
    server.reload_config()
    assert (await ask(server, "POST", "small/workflows/b", big))[0] == 200


OFF = {
    "frontend.enableUpdateWorkflowExecution": (
        ("POST", "workflows/w/update/u", {"request": {"meta": {"updateId": "u"}}}),
        (403, "UpdateWorkflowExecution operation is disabled on this namespace."),
    ),
    "frontend.enableSchedules": (("GET", "schedules", None), (403, "Schedules are disabled on this namespace.")),
    "frontend.enableBatcher": (
        ("GET", "batch-operations", None),
        (403, "Batch operation feature are disabled on this namespace."),
    ),
    "system.enableDeploymentVersions": (
        ("GET", "worker-deployments", None),
        (403, "Worker Deployment Versions are disabled on this namespace."),
    ),
    "frontend.WorkflowPauseEnabled": (
        ("POST", "workflows/w/pause", {"requestId": "r"}),
        (501, "workflow pause is not enabled for namespace: small"),
    ),
    "frontend.WorkflowTimeSkippingEnabled": (
        ("POST", "workflows/t", {**START, "timeSkippingConfig": {"enabled": True}}),
        (501, "time skipping is not enabled for namespace: small"),
    ),
}


@pytest.mark.parametrize("key", OFF)
async def test_switches(server: Server, file: Path, key: str) -> None:
    (method, path, body), (status, words) = OFF[key]
    file.write_text(f"{key}:\n- value: false\n  constraints: {{namespace: small}}\n")
    server.reload_config()
    refused = await ask(server, method, f"small/{path}", body)
    assert (refused[0], refused[1]["message"]) == (status, words)
    other = await ask(server, method, f"default/{path}", body)
    assert other[1].get("message") != words.replace("small", "default")


async def test_eager_starts_and_capabilities_follow_their_switches(server: Server, file: Path) -> None:
    eager = {**START, "requestEagerExecution": True}
    assert "eagerWorkflowTask" in (await ask(server, "POST", "small/workflows/a", eager))[1]
    file.write_text(
        "system.enableEagerWorkflowStart: [{value: false}]\nfrontend.enableUpdateWorkflowExecution: [{value: false}]\n"
        "frontend.WorkerHeartbeatsEnabled: [{value: false}]\n"
    )
    server.reload_config()
    assert "eagerWorkflowTask" not in (await ask(server, "POST", "small/workflows/b", eager))[1]
    _, described = await ask(server, "GET", "small")
    capabilities = described["namespaceInfo"]["capabilities"]
    assert not capabilities.keys() & {"eagerWorkflowStart", "syncUpdate", "asyncUpdate", "workerHeartbeats"}


async def test_hosts_that_http_requests_may_name(server: Server, file: Path) -> None:
    file.write_text("frontend.httpAllowedHosts: [{value: ['*.internal:*', '127.0.0.1:1']}]\n")
    server.reload_config()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.http_port}", timeout=20) as http:
        refused = await http.get("/api/v1/system-info")
        assert (refused.status_code, refused.json()["code"]) == (403, 7)
        named = await http.get("/api/v1/system-info", headers={"Host": "api.internal:80"})
        assert named.status_code == 200
