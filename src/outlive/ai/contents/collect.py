"""Contents of workflows that are gone, found through any server's lists."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from temporalio.api.workflowservice.v1 import (
    DescribeScheduleRequest,
    ListSchedulesRequest,
    ListWorkflowExecutionsRequest,
)

from outlive.ai.contents.store import Owner, Store, Swept
from outlive.limits import CONTENTS_GRACE, SECOND

_ASKED_AT_ONCE: Final = 50  # workflows of one question to the server


class Service(Protocol):
    """What is asked of the server: the SDK's `client.workflow_service` has it, and outlive's own client."""

    @property
    def list_workflow_executions(self) -> Callable[..., Any]: ...

    @property
    def list_schedules(self) -> Callable[..., Any]: ...

    @property
    def describe_schedule(self) -> Callable[..., Any]: ...


class Collected(NamedTuple):
    """What a collection found."""

    owners: int  # workflows that have held nothing new for a while
    gone: list[str]  # those of them that the server does not know any more
    swept: Swept


async def collect(
    store: Store,
    service: Service,
    namespace: str,
    *,
    grace: float = CONTENTS_GRACE / SECOND,
    dry_run: bool = False,
    clock: Callable[[], float] = time.time,
) -> Collected:
    """Release what workflows of the namespace held that the server has deleted, and remove what nobody holds.

    Workflows that held something new within `grace` seconds are left alone: they may not have started yet, or not be
    in the server's lists. So is what was stored within it.
    """
    before = clock() - grace
    owners = await store.owners(namespace, before)
    gone = await _gone(service, namespace, owners)
    if gone and not dry_run:
        await store.release([Owner(namespace, workflow_id) for workflow_id in gone])
    return Collected(len(owners), gone, await store.sweep(before, dry_run=dry_run))


async def _gone(service: Service, namespace: str, workflow_ids: Sequence[str]) -> list[str]:
    there: set[str] = set()
    for at in range(0, len(workflow_ids), _ASKED_AT_ONCE):
        asked = workflow_ids[at : at + _ASKED_AT_ONCE]
        words = ", ".join(f'"{_escaped(each)}"' for each in asked)
        query = f"WorkflowId IN ({words})"
        page = b""
        while True:
            answer = await service.list_workflow_executions(
                ListWorkflowExecutionsRequest(namespace=namespace, query=query, next_page_token=page)
            )
            there.update(run.execution.workflow_id for run in answer.executions)
            page = answer.next_page_token
            if not page or there.issuperset(asked):
                break
    if not there.issuperset(workflow_ids):
        there |= await _scheduled(service, namespace)
    return [each for each in workflow_ids if each not in there]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


async def _scheduled(service: Service, namespace: str) -> set[str]:
    """Ids of workflows that schedules start: schedules hold their arguments under these."""
    found: set[str] = set()
    page = b""
    while True:
        answer = await service.list_schedules(ListSchedulesRequest(namespace=namespace, next_page_token=page))
        for each in answer.schedules:
            described = await service.describe_schedule(
                DescribeScheduleRequest(namespace=namespace, schedule_id=each.schedule_id)
            )
            found.add(described.schedule.action.start_workflow.workflow_id)
        page = answer.next_page_token
        if not page:
            return found
