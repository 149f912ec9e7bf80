"""The HTTP API, asked the same on both servers: the same status and the same JSON, but for what is listed here."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

import httpx

AT = "/api/v1/namespaces/default/workflows"
START = {"workflowType": {"name": "T"}, "taskQueue": {"name": "q"}, "requestId": "r"}
PLAIN = base64.b64encode(b"json/plain").decode()


def payload(data: bytes, encoding: str = "json/plain", **metadata: str) -> dict[str, Any]:
    fields = {"encoding": encoding, **metadata}
    return {
        "metadata": {key: base64.b64encode(value.encode()).decode() for key, value in fields.items()},
        "data": base64.b64encode(data).decode(),
    }


@dataclass(frozen=True)
class Ask:
    """One request. `words`: the message of an error is compared as well."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] | None = None
    words: bool = True


INPUTS: list[Any] = [
    [1, "a", True, {"x": [1, None]}],
    [None],
    [],
    None,
    {"payloads": [1, 2]},
    {"payloads": [payload(b"1")]},
    [payload(b'{"x": 1,  "b":[ 2 ]}'), payload(b"", "binary/null")],
    [1, payload(b"hi", "binary/plain")],
    [1, payload(b"1", k="v")],
    [payload(b'{"name":"T"}', "json/protobuf", messageType="temporal.api.common.v1.WorkflowType")],
    [payload(b'{"a":1}', "json/protobuf")],
    [{"_protoMessageType": "no.such", "name": "X"}],
    [{"metadata": {}, "data": "eA=="}, {"data": "eA=="}, {"metadata": 1}, {}],
    [{"metadata": {"encoding": "no!"}, "data": "x"}],
    [{"metadata": {"encoding": PLAIN}}, {"metadata": {"encoding": PLAIN}, "data": "MQ==", "c": 1}],
]

ASKS = [
    *(Ask("POST", f"{AT}/input{n}", {**START, "input": value}) for n, value in enumerate(INPUTS)),
    *(Ask("GET", f"{AT}/input{n}/history{query}") for n in range(len(INPUTS)) for query in ("", "?noPayloadShorthand")),
    Ask(
        "POST",
        f"{AT}/w",
        {
            **START,
            "input": ["x"],
            "identity": "me",
            "memo": {"fields": {"k": "v", "l": [1]}},
            "header": {"fields": {"h": {"a": 1}}},
            "userMetadata": {"summary": "sum", "details": {"x": 1}},
            "workflowRunTimeout": "3600.5s",
            "retryPolicy": {"initialInterval": "1s", "backoffCoefficient": 2.5, "maximumAttempts": "3"},
            "workflowIdReusePolicy": "AllowDuplicate",
        },
    ),
    Ask("POST", f"{AT}/w", {**START, "requestId": "other"}),
    Ask("GET", f"{AT}/w"),
    Ask("GET", "/namespaces/default/workflows/w"),
    Ask("GET", f"{AT}/w/history?pretty"),
    Ask("GET", f"{AT}/w/history", headers={"Accept": "application/json+no-payload-shorthand"}),
    Ask("GET", f"{AT}/w/history?execution.runId=abc"),
    Ask("GET", f"{AT}/w/history?execution.workflow_id=zzz&namespace=zzz&nope=1"),
    Ask("GET", f"{AT}/w/history?historyEventFilterType=1"),
    Ask("GET", f"{AT}/w/history?maximumPageSize=x", words=False),
    Ask("GET", f"{AT}/w/history?historyEventFilterType=ALL", words=False),
    Ask("GET", f"{AT}/w/history?maximumPageSize=1&maximumPageSize=2", words=False),
    Ask("GET", f"{AT}/w/history?nextPageToken=!!", words=False),
    Ask("GET", f"{AT}/w/history?waitNewEvent=yes", words=False),
    Ask("GET", f"{AT}/w/history-reverse"),
    Ask("GET", f"{AT}/nope"),
    Ask("GET", f"{AT}/a:b"),
    Ask("GET", f"{AT}/%2e%2e"),
    Ask("GET", f"{AT}/a+b"),
    Ask("POST", f"{AT}/w/signal/go", {"input": ["s"]}),
    Ask("POST", f"{AT}/w/signal/go", '{"input": ["s"]}', {"Content-Type": "text/plain"}),
    Ask("POST", f"{AT}/w/signal/go", {"input": "s"}, words=False),
    Ask("POST", f"{AT}/w/cancel", {}),
    Ask("POST", f"{AT}/w/query/q", {"namespace": "no", "execution": {"runId": "nope"}}),
    Ask("POST", f"{AT}/w/terminate", {"reason": "r", "details": ["d"]}),
    Ask("POST", f"{AT}/w/terminate", {}),
    Ask("GET", f"{AT}/w/history"),
    Ask("POST", f"{AT}/bad", ""),
    *(
        Ask("POST", f"{AT}/bad", body, words=False)
        for body in (
            "{",
            "[]",
            '{"nope":1}',
            '{"workflowType":"x"}',
            '{"workflowType":{"name":1}}',
            '{"requestEagerExecution":"true"}',
            '{"workflowRunTimeout":"x"}',
            '{"workflowIdReusePolicy":"nope"}',
            '{"workflowType":{"name":"T"},"workflowType":{"name":"T2"}}',
            '{"workflowType":{"name":"T"},"workflow_type":{"name":"T2"}}',
            '{"input":[1e400]}',
            '{"input":{"a":1}}',
            '{"input":"x"}',
        )
    ),
    Ask("POST", f"{AT}/bad", b'{"workflowType":{"name":"\xff"}}', words=False),
    Ask("GET", "/api/v1/namespaces/nope"),
    Ask("GET", "/api/v1/nope"),
    Ask("GET", "/"),
    Ask("POST", "/api/v1/namespaces/default", {}, words=False),
    Ask("DELETE", "/api/v1/namespaces/default", words=False),
    Ask("OPTIONS", "/api/v1/namespaces/default", headers={"Origin": "http://x.y"}, words=False),
    Ask("GET", "/api/v1/namespaces/default/"),
    Ask("GET", "/api/v1/namespaces/%zz", words=False),
    Ask("GET", "/api/v1/namespaces?namespaceFilter=x", words=False),
    Ask("GET", f"{AT}?pageSize=9999999999", words=False),
    Ask("GET", f"{AT}?query=bad(", words=False),
    Ask("GET", f"{AT}?query=WorkflowId%3D%27input1%27"),
    Ask("GET", f"{AT}?query=WorkflowId+%3D+%27w%27&noPayloadShorthand"),
    Ask("GET", "/api/v1/namespaces/default/workflow-count?query=WorkflowId%3D%27w%27"),
    Ask("GET", "/api/v1/namespaces/default/workflow-count?query=WorkflowId%3D%27w%27+GROUP+BY+ExecutionStatus"),
    Ask("GET", "/api/v1/cluster-info", headers={"Grpc-Timeout": "bad"}),
    Ask("POST", "/api/v1/namespaces", {"namespace": "made", "workflowExecutionRetentionPeriod": "86400s"}),
    Ask("POST", "/api/v1/namespaces", {"namespace": "made", "workflowExecutionRetentionPeriod": "86400s"}),
]

_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIMES = re.compile(r"2\d{3}-\d\d-\d\dT[0-9:.]+Z")
_OWN = {"taskId", "historySizeBytes", "eventTime", "nextPageToken", "executionDuration"}  # each server's own


def normal(value: Any) -> Any:
    """A JSON value without what two servers cannot have in common."""
    if isinstance(value, dict):
        if value.get("metadata") == {"encoding": PLAIN} and "data" in value:
            return {"json": json.loads(base64.b64decode(value["data"]))}  # ours keeps the order of keys
        return {key: normal(each) for key, each in value.items() if key not in _OWN}
    if isinstance(value, list):
        return [normal(each) for each in value]
    if isinstance(value, str):
        return _TIMES.sub("<time>", _IDS.sub("<id>", value)).replace("frontend-service", "outlive")
    return value


def asked(http: httpx.Client, ask: Ask) -> Any:
    content = ask.body if ask.body is None or isinstance(ask.body, str | bytes) else json.dumps(ask.body)
    answer = http.request(ask.method, ask.path, content=content, headers=ask.headers)
    try:
        value = normal(answer.json())
    except ValueError:
        value = "no JSON"
    if answer.status_code >= 400 and not ask.words:
        return answer.status_code
    kind = answer.headers.get("content-type", "").replace("*", "application/json")
    return answer.status_code, kind, value


def test_the_same_answers(http_pair: tuple[httpx.Client, httpx.Client]) -> None:
    there, here = http_pair
    pairs = [(ask, asked(there, ask), asked(here, ask)) for ask in ASKS]
    assert len(pairs) > 90
    different = [f"{a.method} {a.path} {a.body}\n  there {b}\n  here  {c}" for a, b, c in pairs if b != c]
    assert not different, "\n".join(different)


def test_what_is_better_here(http_pair: tuple[httpx.Client, httpx.Client]) -> None:
    """Temporal's server takes what is no JSON, and cannot show a history with a payload that is none."""
    there, here = http_pair
    for http, trailing, status in ((there, 200, 500), (here, 400, 200)):
        assert http.post(f"{AT}/t", content=json.dumps(START) + " more").status_code == trailing
        assert http.post(f"{AT}/p", json={**START, "input": [payload(b"{bad")]}).status_code == 200
        assert http.get(f"{AT}/p/history").status_code == status
    event = here.get(f"{AT}/p/history").json()["history"]["events"][0]
    assert event["workflowExecutionStartedEventAttributes"]["input"] == {"payloads": [payload(b"{bad")]}
