"""The API over HTTP, on a real port of a real server."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from outlive.api.handlers import Rpc
from outlive.api.http_json.routes import Routes
from outlive.api.services import WORKFLOW_SERVICE
from outlive.clock import SystemClock
from outlive.config import ServerConfig
from outlive.dynamic.config import DynamicConfig
from outlive.errors import StartupError
from outlive.limits import GRPC_MESSAGE_MAX
from outlive.server import Server

START = {"workflowType": {"name": "T"}, "taskQueue": {"name": "q"}, "input": [1, {"a": [None]}], "identity": "me"}
AT = "/api/v1/namespaces/default/workflows"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(ServerConfig(port=0, http_port=0, database=tmp_path / "outlive.db"))
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.http_port}", timeout=20) as client:
        yield client


async def start(http: httpx.AsyncClient, workflow_id: str = "w", **more: Any) -> str:
    answer = await http.post(f"{AT}/{workflow_id}", json={**START, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["runId"])


async def test_a_run_from_start_to_end(http: httpx.AsyncClient, client: Client) -> None:
    run_id = await start(http, memo={"fields": {"k": "v"}}, userMetadata={"summary": "sum"})
    assert (await http.post(f"{AT}/w/signal/go", json={"input": ["now"]})).status_code == 200
    listed = (await http.get(AT, params={"query": "WorkflowId = 'w'"})).json()["executions"]
    assert [row["execution"]["runId"] for row in listed] == [run_id]
    described = (await http.get(f"{AT}/w")).json()
    assert described["workflowExecutionInfo"]["status"] == "WORKFLOW_EXECUTION_STATUS_RUNNING"
    assert described["workflowExecutionInfo"]["memo"] == {"fields": {"k": "v"}}
    assert (await http.post(f"{AT}/w/terminate", json={"reason": "r", "details": ["d"]})).json() == {}
    events = (await http.get(f"{AT}/w/history")).json()["history"]["events"]
    assert [event["eventType"].removeprefix("EVENT_TYPE_WORKFLOW_") for event in events] == [
        "EXECUTION_STARTED",
        "TASK_SCHEDULED",
        "EXECUTION_SIGNALED",
        "EXECUTION_TERMINATED",
    ]
    started = events[0]["workflowExecutionStartedEventAttributes"]
    assert (started["input"], started["identity"]) == ([1, {"a": [None]}], "me")
    assert events[0]["userMetadata"] == {"summary": "sum"}
    assert events[2]["workflowExecutionSignaledEventAttributes"]["input"] == ["now"]
    back = (await http.get(f"{AT}/w/history-reverse", params={"maximumPageSize": "1"})).json()
    assert [event["eventId"] for event in back["history"]["events"]] == ["4"]
    assert (await http.get("/api/v1/namespaces/default/workflow-count")).json()["count"] == "1"
    handle = client.get_workflow_handle("w", run_id=run_id)
    assert (await handle.describe()).run_id == run_id  # the same server, by gRPC


@pytest.mark.parametrize(
    ("query", "headers", "media_type"),
    [
        ("", {}, "application/json"),
        ("?pretty", {}, "application/json+pretty"),
        ("?pretty=false", {}, "application/json+pretty"),
        ("?noPayloadShorthand", {}, "application/json+no-payload-shorthand"),
        ("?noPayloadShorthand&pretty", {}, "application/json+pretty+no-payload-shorthand"),
        ("", {"Accept": "application/json+pretty"}, "application/json+pretty"),
        (
            "",
            {"Accept": "text/html, application/json+no-payload-shorthand;q=0.5"},
            "application/json+no-payload-shorthand",
        ),
        ("", {"Accept": "text/html"}, "application/json"),
        ("", {"Content-Type": "application/json+pretty"}, "application/json+pretty"),
    ],
)
async def test_forms_of_an_answer(
    http: httpx.AsyncClient, query: str, headers: dict[str, str], media_type: str
) -> None:
    await start(http)
    answer = await http.get(f"{AT}/w/history{query}", headers={"Accept": "*/*", **headers})
    assert answer.headers["content-type"] == media_type
    event = answer.json()["history"]["events"][0]["workflowExecutionStartedEventAttributes"]
    spelled = [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": data} for data in ("MQ==", "eyJhIjpbbnVsbF19")]
    assert event["input"] == ({"payloads": spelled} if "shorthand" in media_type else START["input"])
    assert (b'\n  "history": {' in answer.content) == ("pretty" in media_type)


async def test_a_body_whose_payloads_are_spelled_out(http: httpx.AsyncClient) -> None:
    spelled = {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}]}
    headers = {"Content-Type": "application/json+no-payload-shorthand"}
    refused = await http.post(f"{AT}/w", json=START, headers=headers)
    assert refused.status_code == 400
    assert refused.json()["message"] == 'input: expected an object, not [1, {"a": [null]}]'
    taken = await http.post(f"{AT}/w", json={**START, "input": spelled}, headers=headers)
    assert taken.status_code == 200
    event = (await http.get(f"{AT}/w/history")).json()["history"]["events"][0]
    assert event["workflowExecutionStartedEventAttributes"]["input"] == [1]


async def test_errors_are_a_status_with_its_detail(http: httpx.AsyncClient) -> None:
    run_id = await start(http, requestId="first")
    again = await http.post(f"{AT}/w", json=START)
    assert again.status_code == 409
    assert again.json()["code"] == 6
    assert again.json()["details"] == [
        {
            "@type": "type.googleapis.com/temporal.api.errordetails.v1.WorkflowExecutionAlreadyStartedFailure",
            "startRequestId": "first",
            "runId": run_id,
            "firstExecutionRunId": run_id,
        }
    ]
    missing = await http.get("/api/v1/namespaces/nope/workflows/w")
    assert (missing.status_code, missing.json()["code"]) == (404, 5)
    assert missing.json()["details"][0]["namespace"] == "nope"
    pretty = await http.get(f"{AT}/nope?pretty")
    assert pretty.status_code == 404
    assert pretty.text.startswith('{\n  "code": 5,')


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, 5),
        ("GET", "/api/v1/nope", 404, 5),
        ("GET", "/API/v1/system-info", 404, 5),
        ("GET", "/api/v1/namespaces/default/", 404, 5),
        ("GET", "/api/v1/namespaces//workflows", 404, 5),
        ("POST", "/api/v1/namespaces/default", 501, 12),
        ("DELETE", "/api/v1/namespaces/default", 501, 12),
        ("OPTIONS", "/api/v1/namespaces/default", 501, 12),
        ("GET", "/api/v1/namespaces/%zz", 400, 3),
        ("GET", "/api/v1/namespaces/%ff", 400, 3),
        ("GET", "/api/v1/namespaces/default/workflows?pageSize=x", 400, 3),
        ("GET", "/api/v1/namespaces/default/workflows?pageSize=9999999999", 400, 3),
        ("GET", "/api/v1/namespaces/default/workflows?pageSize=1&pageSize=2", 400, 3),
        ("GET", "/api/v1/namespaces/default/workflows?nextPageToken=!!", 400, 3),
        ("GET", "/api/v1/namespaces/default/workflows?query=bad(", 400, 3),
        ("GET", "/api/v1/namespaces/default/workflows/w/history?waitNewEvent=yes", 400, 3),
        ("GET", "/api/v1/namespaces/default/workflows/w/history?historyEventFilterType=ALL", 400, 3),
        ("GET", "/api/v1/namespaces/default/workflows/w?execution=x", 400, 3),
        ("GET", "/api/v1/namespaces?%ff=1", 400, 3),
    ],
)
async def test_what_means_nothing(http: httpx.AsyncClient, method: str, path: str, status: int, code: int) -> None:
    answer = await http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (answer.headers.get("allow") is not None) == (status == 501)


async def test_query_parameters_by_either_name_and_into_nested_messages(http: httpx.AsyncClient) -> None:
    run_id = await start(http)
    for query in (
        f"execution.runId={run_id}&maximumPageSize=1",
        f"execution.run_id={run_id}&maximum_page_size=1&no_such=2",
        "historyEventFilterType=HISTORY_EVENT_FILTER_TYPE_ALL_EVENT&maximumPageSize=1",
        "historyEventFilterType=1&maximumPageSize=1&waitNewEvent=f",
        "execution.workflowId=other&namespace=other&maximumPageSize=1",  # the path says which
    ):
        events = (await http.get(f"{AT}/w/history?{query}")).json()["history"]["events"]
        assert [event["eventId"] for event in events] == ["1"], query
    assert (await http.get(f"{AT}/w/history?execution.runId=abc")).json()["message"] == "Invalid RunId."


async def test_a_form_may_carry_a_query_longer_than_an_address(http: httpx.AsyncClient) -> None:
    await start(http)
    query = "WorkflowId IN (" + ", ".join(f"'{n}'" for n in range(20_000)) + ", 'w')"
    answer = await http.post("/api/v1/namespaces/default/workflow-count", data={"query": query})
    assert answer.json() == {"count": "1"}


async def test_what_the_path_says_goes_before_the_body(http: httpx.AsyncClient) -> None:
    await start(http, "w", namespace="other", workflowId="other")
    assert (await http.get(f"{AT}/w")).status_code == 200
    assert (await http.get(f"{AT}/other")).status_code == 404


@pytest.mark.parametrize("workflow_id", ["a/b", "a b+c", "é🙂", "%2F", "a:b", "..", "{x}", "?#&="])
async def test_any_id_fits_into_a_path(http: httpx.AsyncClient, workflow_id: str) -> None:
    from urllib.parse import quote

    run_id = await start(http, quote(workflow_id, safe="") if workflow_id != ".." else "%2e%2e")
    listed = (await http.get(AT)).json()["executions"]
    assert [row["execution"] for row in listed] == [{"workflowId": workflow_id, "runId": run_id}]


async def test_a_body_over_the_limit_is_refused_and_the_server_goes_on(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{AT}/w", content=b" " * (GRPC_MESSAGE_MAX + 1))
    assert answer.status_code == 400
    assert "too large" in answer.json()["message"]
    await start(http)


async def test_a_long_poll_is_woken_by_what_it_waits_for(http: httpx.AsyncClient) -> None:
    await start(http)
    poll = asyncio.create_task(http.get(f"{AT}/w/history?waitNewEvent=true&historyEventFilterType=CloseEvent"))
    while not poll.done():
        answer = await http.post(f"{AT}/w/terminate", json={})
        if answer.status_code == 200:
            break
    events = (await poll).json()["history"]["events"]
    assert [event["eventType"] for event in events] == ["EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED"]


async def test_a_deadline_ends_a_call(http: httpx.AsyncClient) -> None:
    await start(http)
    at = f"{AT}/w/history?waitNewEvent=true&historyEventFilterType=2"
    late = await http.get(at, headers={"Grpc-Timeout": "1500m"})
    assert (late.status_code, late.json()["history"]) == (200, {})  # an empty answer just before
    over = await http.post(f"{AT}/w/query/q", json={}, headers={"Grpc-Timeout": "50m"})
    assert (over.status_code, over.json()["code"]) == (504, 4)
    bad = await http.get(at, headers={"Grpc-Timeout": "soon"})
    assert (bad.status_code, bad.json()["message"]) == (400, "invalid grpc-timeout: soon")


async def test_a_caller_that_goes_away_ends_its_call() -> None:
    from outlive.api.http_json.app import HttpApi

    began, ended = asyncio.Event(), asyncio.Event()

    async def slow(request: Any, call: Any) -> bytes:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return b""

    table = {path: Rpc(rpc.request, slow) for path, rpc in _handlers().items()}
    app = HttpApi(table, SystemClock(), DynamicConfig())
    answers: list[Any] = []

    events = iter([{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        event = next(events)
        if event["type"] == "http.disconnect":
            await began.wait()
        return event

    async def send(message: Any) -> None:
        answers.append(message)

    scope = {"type": "http", "method": "GET", "raw_path": b"/api/v1/system-info", "query_string": b"", "headers": []}
    async with asyncio.timeout(5):
        await app(scope, receive, send)
        await ended.wait()
    assert answers == []


def _handlers() -> dict[str, Rpc]:
    """Every RPC with a route, answering nothing."""
    import temporalio.api.operatorservice.v1.service_pb2 as operatorservice
    import temporalio.api.workflowservice.v1.service_pb2 as workflowservice
    from google.protobuf.message_factory import GetMessageClass

    async def nothing(request: Any, call: Any) -> bytes:
        return b""

    return {
        f"/{service.full_name}/{method.name}": Rpc(GetMessageClass(method.input_type), nothing)
        for module in (workflowservice, operatorservice)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


def test_every_annotation_leads_to_its_rpc() -> None:
    import temporalio.api.workflowservice.v1.service_pb2 as workflowservice
    from google.api.annotations_pb2 import http as annotation

    table = _handlers()
    routes = Routes(table)
    (service,) = workflowservice.DESCRIPTOR.services_by_name.values()
    checked = 0
    for method in service.methods:
        rule = method.GetOptions().Extensions[annotation]
        for each in (rule, *rule.additional_bindings):
            verb = each.WhichOneof("pattern")
            if verb is None:
                continue
            template = getattr(each, verb)
            names = re.findall(r"\{([^}]+)\}", template)
            found = routes.match([f"v-{s.strip('{}')}" if s.startswith("{") else s for s in template.split("/")[1:]])
            assert found is not None, template
            route = found.routes[verb.upper()]
            assert route.rpc is table[f"/{WORKFLOW_SERVICE}/{method.name}"], template
            assert list(route.variables) == names
            assert list(found.values) == [f"v-{name}" for name in names]
            assert route.body == (each.body == "*")
            checked += 1
    assert checked > 200


async def test_pages_of_other_hosts_change_nothing(http: httpx.AsyncClient, server: Server) -> None:
    evil = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    refused = await http.post(f"{AT}/w", content=json.dumps(START), headers=evil)
    assert (refused.status_code, refused.json()["code"]) == (403, 7)
    assert (await http.post(f"{AT}/w", content="{}", headers={"Origin": "null"})).status_code == 403
    assert (await http.get(f"{AT}/w")).status_code == 404
    seen = await http.get(AT, headers=evil)
    assert seen.status_code == 200
    assert not any(name.startswith("access-control") for name in seen.headers)
    own = {"Origin": f"http://127.0.0.1:{server.http_port}"}
    assert (await http.post(f"{AT}/w", json=START, headers=own)).status_code == 200
    local = {"Origin": "http://localhost:3000"}
    assert (await http.post(f"{AT}/w2", json=START, headers=local)).status_code == 200


async def test_many_at_once(http: httpx.AsyncClient) -> None:
    await asyncio.gather(*(start(http, f"w{n}") for n in range(50)))
    assert (await http.get("/api/v1/namespaces/default/workflow-count")).json() == {"count": "50"}


async def test_a_server_that_stops_lets_a_long_poll_go(server: Server) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.http_port}", timeout=20) as http:
        await start(http)
        poll = asyncio.create_task(http.get(f"{AT}/w/history?waitNewEvent=true&historyEventFilterType=2"))
        await start(http, "other")
        async with asyncio.timeout(8):
            await server.stop(0)
            await asyncio.wait([poll])


async def test_a_port_in_use_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = Server(ServerConfig(port=0, http_port=taken.getsockname()[1]))
        with pytest.raises(StartupError, match="--http-port"):
            await server.start()


async def test_a_server_without_http(tmp_path: Path) -> None:
    server = Server(ServerConfig(port=0))
    await server.start()
    assert server.http_port is None
    await server.stop(0)
