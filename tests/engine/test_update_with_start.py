"""Update-with-start with an update id that an earlier run knows."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateStage
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "with-start"


@workflow.defn
class Counted:
    """Ends when it is told to; an update is answered at once, or never."""

    def __init__(self) -> None:
        self._over = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self._over)

    @workflow.update(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def answer(self, at_once: bool) -> str:
        if not at_once:
            await workflow.wait_condition(lambda: False)
        return workflow.info().run_id

    @workflow.signal
    def end(self) -> None:
        self._over = True


def _start() -> WithStartWorkflowOperation[Counted, None]:
    conflict = WorkflowIDConflictPolicy.FAIL
    return WithStartWorkflowOperation(Counted.run, id="w", task_queue=QUEUE, id_conflict_policy=conflict)


async def test_a_closed_run_answers_for_what_it_completed_and_not_for_what_it_left(client: Client) -> None:
    worker = Worker(client, task_queue=QUEUE, workflows=[Counted], workflow_runner=UnsandboxedWorkflowRunner())
    async with worker, asyncio.timeout(40):
        done = await client.execute_update_with_start_workflow(
            Counted.answer, True, id="done", start_workflow_operation=_start()
        )
        handle = client.get_workflow_handle("w")
        left = await handle.start_update(Counted.answer, False, id="left", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        assert left.id == "left"
        await handle.signal(Counted.end)
        await handle.result()
        again = await client.execute_update_with_start_workflow(
            Counted.answer, True, id="done", start_workflow_operation=_start()
        )
        assert again == done
        new = await client.execute_update_with_start_workflow(
            Counted.answer, True, id="left", start_workflow_operation=_start()
        )
        assert new != done
