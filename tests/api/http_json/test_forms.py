"""JSON of messages: against protobuf's own, there and back, and the readable form of payloads."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import WorkflowIdReusePolicy
from temporalio.api.history.v1 import History
from temporalio.api.taskqueue.v1 import TaskQueueStats
from temporalio.api.workflowservice.v1 import (
    DescribeScheduleResponse,
    DescribeWorkerDeploymentResponse,
    DescribeWorkflowExecutionResponse,
    StartWorkflowExecutionRequest,
)

from outlive.api.http_json import reading, writing
from outlive.errors import InvalidArgument

F = FieldDescriptor
PLAIN = {"encoding": b"json/plain"}


def scalar(field: FieldDescriptor, rng: random.Random) -> Any:
    kind = field.cpp_type
    if kind == F.CPPTYPE_STRING:
        return rng.randbytes(3) if field.type == F.TYPE_BYTES else rng.choice(["", "a", 'é"\\\n\u2028<', "🙂"])
    if kind == F.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind in (F.CPPTYPE_DOUBLE, F.CPPTYPE_FLOAT):
        return rng.choice([0.1, 1.0, -2.5, 3e20, 1e-9, 16777216.0])
    if kind == F.CPPTYPE_ENUM:
        assert field.enum_type is not None
        return rng.choice(list(field.enum_type.values_by_number))
    return rng.choice([0, 1, 2**31 - 1])


def fill(message: Message, rng: random.Random, depth: int) -> None:
    """Give the message values, at random, down to a depth."""
    if message.DESCRIPTOR.full_name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
        message.seconds = rng.randrange(10**9)  # type: ignore[attr-defined]
        message.nanos = rng.choice([0, 500_000_000, 1])  # type: ignore[attr-defined]
        return
    for field in message.DESCRIPTOR.fields:
        if rng.random() < 0.3 or (field.message_type is not None and depth == 0):
            continue
        if field.containing_oneof is not None and message.WhichOneof(field.containing_oneof.name):
            continue
        target = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            fill_map(target, field.message_type, rng, depth)
        elif field.is_repeated:
            for _ in range(rng.randrange(3)):
                if field.message_type is not None:
                    fill(target.add(), rng, depth - 1)
                else:
                    target.append(scalar(field, rng))
        elif field.message_type is not None:
            target.SetInParent()
            if not field.message_type.full_name.startswith("google.protobuf.Any"):
                fill(target, rng, depth - 1)
        else:
            setattr(message, field.name, scalar(field, rng))


def fill_map(target: Any, entry: Descriptor, rng: random.Random, depth: int) -> None:
    key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    for _ in range(rng.randrange(3)):
        name = scalar(key, rng)
        if value.message_type is not None:
            fill(target[name], rng, depth - 1)
        else:
            target[name] = scalar(value, rng)


@pytest.mark.parametrize(
    "kind",
    [
        StartWorkflowExecutionRequest,
        DescribeWorkflowExecutionResponse,
        DescribeScheduleResponse,
        History,
        DescribeWorkerDeploymentResponse,
        TaskQueueStats,
    ],
)
def test_spelled_out_it_is_protobufs_own_json_and_comes_back(kind: type[Message]) -> None:
    rng = random.Random(kind.DESCRIPTOR.full_name)
    for _ in range(60):
        message = kind()
        fill(message, rng, 4)
        value = writing.write(message, False)
        assert json.loads(json.dumps(value)) == json_format.MessageToDict(message)
        for indent in (False, True):
            again = kind()
            reading.read(reading.loads(writing.dumps(value, indent=indent)), again, False)
            assert again == message


def payload(data: bytes, **metadata: bytes) -> Payload:
    return Payload(metadata=metadata or PLAIN, data=data)


@pytest.mark.parametrize(
    ("sent", "form"),
    [
        ([payload(b"1"), payload(b'"a"'), payload(b'{"b": [null]}')], [1, "a", {"b": [None]}]),
        ([payload(b"12345678901234567890")], [12345678901234567890]),
        ([], []),
        ([payload(b"", encoding=b"binary/null")], [{"metadata": {"encoding": "YmluYXJ5L251bGw="}}]),
        (
            [payload(b'{"name":"T"}', encoding=b"json/protobuf", messageType=b"x.Y")],
            [{"_protoMessageType": "x.Y", "name": "T"}],
        ),
    ],
)
def test_payloads_with_a_readable_form_are_a_list_of_values(sent: list[Payload], form: list[Any]) -> None:
    message = Payloads(payloads=sent)
    assert writing.write(message, True) == form
    again = Payloads()
    reading.read(form, again, True)
    assert writing.write(again, True) == form


@pytest.mark.parametrize(
    "odd",
    [
        payload(b"hi", encoding=b"binary/plain"),
        payload(b"1", encoding=b"json/plain", type=b"Keyword"),
        payload(b"{not json"),
        payload(b"NaN"),
        payload(b"1 2"),
        payload(b"[" * 100_000),
        payload(b"[1]", encoding=b"json/protobuf", messageType=b"x.Y"),
        payload(b"x", other=b"y"),
    ],
)
def test_one_payload_without_a_readable_form_is_spelled_out_beside_the_others(odd: Payload) -> None:
    form = writing.write(Payloads(payloads=[payload(b"1"), odd]), True)
    assert form == {"payloads": [1, json_format.MessageToDict(odd)]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, Payload(metadata={"encoding": b"binary/null"})),
        ({"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}, payload(b"1")),
        ({"metadata": {"encoding": "anNvbi9wbGFpbg"}, "data": "MQ"}, payload(b"1")),  # no padding
        ({"metadata": {"encoding": "YmluYXJ5L251bGw="}}, Payload(metadata={"encoding": b"binary/null"})),
        # what only looks like one is a value
        ({"data": "MQ=="}, payload(b'{"data":"MQ=="}')),
        ({"metadata": {}, "data": "MQ=="}, payload(b'{"metadata":{},"data":"MQ=="}')),
        ({"metadata": {"encoding": "no!"}, "data": "a"}, payload(b'{"metadata":{"encoding":"no!"},"data":"a"}')),
        (
            {"metadata": {"encoding": "anNvbi9wbGFpbg=="}},
            payload(b'{"metadata":{"encoding":"anNvbi9wbGFpbg=="}}'),
        ),
    ],
)
def test_what_is_taken_as_a_payload_spelled_out(value: Any, expected: Payload) -> None:
    message = Payloads()
    reading.read([value], message, True)
    assert message.payloads[0] == expected


def test_half_a_surrogate_pair_can_be_told() -> None:
    text = writing.dumps(writing.write(Payloads(payloads=[payload(b'"\\ud800"')]), True), indent=False)
    assert text == b'["\\ud800"]'


@pytest.mark.parametrize(
    "name", ["WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE", "REJECT_DUPLICATE", "RejectDuplicate", 3]
)
def test_names_of_enum_values(name: str | int) -> None:
    message = StartWorkflowExecutionRequest()
    reading.read({"workflowIdReusePolicy": name}, message, True)
    assert message.workflow_id_reuse_policy == WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON: .* line 1, column 2"),
        (b'{"workflowId":"a"} more', "not JSON: Extra data"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"priority":{"priorityKey":' + b"9" * 5_000 + b"}}", "cannot be read"),
        (b"NaN", "NaN is not JSON"),
        (b'{"input":[1e400]}', "too large a number"),
        (b"[]", r"the body: expected an object, not \[\]"),
        (b'{"nope":1}', 'unknown field "nope"'),
        (b'{"workflowType":{"nope":1}}', 'unknown field "workflowType.nope"'),
        (b'{"workflowType":{"name":1}}', "workflowType.name: expected a string, not 1"),
        (b'{"workflowType":"T"}', 'workflowType: expected an object, not "T"'),
        (b'{"workflowId":"a","workflowId":"b"}', "workflowId: given twice"),
        (b'{"workflowId":"a","workflow_id":"b"}', "workflow_id: given twice, also as workflowId"),
        (b'{"workflowId":"\\ud800"}', "workflowId: not a text"),
        (b'{"requestEagerExecution":"true"}', "requestEagerExecution: expected true or false"),
        (b'{"workflowRunTimeout":"x"}', "workflowRunTimeout: expected a google.protobuf.Duration"),
        (b'{"workflowIdReusePolicy":"x"}', "workflowIdReusePolicy: expected one of WORKFLOW_ID_REUSE"),
        (b'{"priority":{"priorityKey":2147483648}}', "priority.priorityKey: expected a whole number from"),
        (b'{"priority":{"priorityKey":"1_0"}}', "priority.priorityKey: expected a whole number"),
        (b'{"lastCompletionResult":{"payloads":7}}', "lastCompletionResult.payloads: expected a list, not 7"),
        (b'{"memo":{"fields":[]}}', r"memo.fields: expected an object, not \[\]"),
        (b'{"links":[{"batchJob":{},"workflowEvent":{}}]}', r"links\[0\].workflowEvent: only one of"),
        (b'{"input":[{"_protoMessageType":1}]}', r"input\[0\]: _protoMessageType takes a string"),
    ],
)
def test_what_is_wrong_with_a_body_is_named(body: bytes, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        reading.read(reading.loads(body), StartWorkflowExecutionRequest(), True)


def test_absent_null_and_empty() -> None:
    message = StartWorkflowExecutionRequest()
    reading.read(reading.loads(b" "), message, True)
    reading.read({"input": None, "workflowRunTimeout": None, "memo": {"fields": {"k": None}}}, message, True)
    assert not message.HasField("input")
    assert not message.HasField("workflow_run_timeout")
    assert message.memo.fields["k"].metadata["encoding"] == b"binary/null"


def test_a_time_out_of_range_is_told_field_by_field() -> None:
    history = History()
    history.events.add().event_time.seconds = 10**12
    assert writing.write(history, True) == {"events": [{"eventTime": {"seconds": "1000000000000"}}]}


def test_every_message_of_the_services_can_be_written_and_read() -> None:
    import temporalio.api.workflowservice.v1.service_pb2 as service

    (methods,) = [s.methods for s in service.DESCRIPTOR.services_by_name.values()]
    for method in methods:
        for kind in (method.input_type, method.output_type):
            message, again = GetMessageClass(kind)(), GetMessageClass(kind)()
            fill(message, random.Random(kind.full_name), 3)
            reading.read(json.loads(writing.dumps(writing.write(message, False), indent=False)), again, False)
            assert again == message
