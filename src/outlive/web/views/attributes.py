"""Search attributes: their names and types, and the values that the newest runs have."""

from __future__ import annotations

from collections import Counter
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest, ListSearchAttributesResponse
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest

from outlive.client import Refused, Unsupported, WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import payloads

_ALWAYS: Final = {
    "WorkflowId": "Keyword",
    "RunId": "Keyword",
    "WorkflowType": "Keyword",
    "ExecutionStatus": "Keyword",
    "TaskQueue": "Keyword",
    "StartTime": "Datetime",
    "CloseTime": "Datetime",
    "ExecutionTime": "Datetime",
    "ExecutionDuration": "Int",
    "HistoryLength": "Int",
    "ParentWorkflowId": "Keyword",
}


def kind_name(kind: IndexedValueType.ValueType) -> str:
    """``INDEXED_VALUE_TYPE_KEYWORD_LIST`` as ``KeywordList``."""
    if kind not in IndexedValueType.values():
        return "Keyword"
    return IndexedValueType.Name(kind).removeprefix("INDEXED_VALUE_TYPE_").title().replace("_", "")


async def own(client: WorkflowServiceClient, namespace: str) -> dict[str, str]:
    """The namespace's own attributes with their types; none where the server does not tell."""
    try:
        request = ListSearchAttributesRequest(namespace=namespace)
        answer = await client.call(request, ListSearchAttributesResponse)
    except (Refused, Unsupported):
        return {}
    return {name: kind_name(kind) for name, kind in answer.custom_attributes.items()}


async def kinds(client: WorkflowServiceClient, namespace: str) -> dict[str, str]:
    """Every attribute that a filter may name, with its type."""
    try:
        request = ListSearchAttributesRequest(namespace=namespace)
        answer = await client.call(request, ListSearchAttributesResponse)
    except (Refused, Unsupported):
        return dict(_ALWAYS)
    both = {**answer.system_attributes, **answer.custom_attributes}
    return _ALWAYS | {name: kind_name(kind) for name, kind in both.items()}


async def seen(client: WorkflowServiceClient, namespace: str) -> dict[str, list[str]]:
    """Values that the newest runs have, the frequent ones first, by attribute."""
    request = ListWorkflowExecutionsRequest(namespace=namespace, page_size=bounds.VALUES_RUNS)
    counts: dict[str, Counter[str]] = {}
    for info in (await client.list_workflow_executions(request)).executions:
        found = [(name, payloads.text_of(value)) for name, value in info.search_attributes.indexed_fields.items()]
        found.append(("WorkflowType", info.type.name))
        found.append(("TaskQueue", info.task_queue))
        found.append(("WorkflowId", info.execution.workflow_id))
        for name, value in found:
            if value:
                counts.setdefault(name, Counter())[value] += 1
    return {name: [value for value, _ in by.most_common()] for name, by in counts.items()}
