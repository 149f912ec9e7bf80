"""Batches: started, described, listed, stopped; carried out beside everything else.

Rules (all of them live in this file)
- A batch is durable before it is answered, and taken up again after a restart.
- One task of the loop carries out a batch: a page of targets, then its progress is written, then the next page.
- A target that fails is tried a few times; then it counts as failed, and the batch goes on.
- A closed batch is kept as long as the namespace keeps closed runs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from temporalio.api.batch.v1 import BatchOperationInfo
from temporalio.api.common.v1 import Execution, WorkflowExecution
from temporalio.api.enums.v1 import ExecutionType, ResourceExhaustedCause, WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import (
    DescribeBatchOperationRequest,
    DescribeBatchOperationResponse,
    ListBatchOperationsRequest,
    ListBatchOperationsResponse,
    StartBatchOperationRequest,
    StartBatchOperationResponse,
    StopBatchOperationRequest,
    StopBatchOperationResponse,
)

from outlive.clock import Clock
from outlive.core import batches
from outlive.core.batches import COMPLETED, FAILED, RUNNING, Batch
from outlive.core.filter import parse_filter
from outlive.core.proto import timestamp
from outlive.core.visibility import BATCH_DIVISION, KEYWORD, IndexedAttribute, VisibilityRecord
from outlive.engine.batches.operations import Operations
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespace, Namespaces
from outlive.errors import (
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    ServiceError,
    Unimplemented,
    WorkflowAlreadyStarted,
)
from outlive.limits import (
    BATCH_ATTEMPTS,
    BATCH_PAGE,
    BATCH_RATE,
    BATCHES_AT_ONCE,
    PAGE_SIZE_MAX,
)
from outlive.store.port import EntityRow, Storage, Writer

log = logging.getLogger(__name__)
KIND = "batch"
_TYPE = "temporal-sys-batch-workflow-protobuf"
_QUEUE = "temporal-sys-per-ns-tq"


class Batches:
    """All batches of the server."""

    def __init__(
        self, storage: Storage, writer: Writer, clock: Clock, namespaces: Namespaces, operations: Operations
    ) -> None:
        self._storage = storage
        self._writer = writer
        self._clock = clock
        self._namespaces = namespaces
        self._operations = operations
        self._all: dict[tuple[str, str], Batch] = {}  # by namespace id and job id
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def begin(self) -> None:
        """Take up what was under way."""
        for row in self._storage.entities(KIND):
            batch = self._all[(row.namespace_id, row.entity_id)] = batches.decode(row.data)
            if batch.state == RUNNING:
                self._go(row.namespace_id, batch)

    def stop(self) -> None:
        """Leave what is under way to the next start of the server."""
        for task in self._tasks.values():
            task.cancel()

    # -- RPCs

    async def start_batch_operation(
        self, namespace: Namespace, request: StartBatchOperationRequest, call: Call
    ) -> StartBatchOperationResponse:
        self._forget_old(namespace)
        known = self._all.get((namespace.id, request.job_id))
        if known is not None:
            how = "running" if known.state == RUNNING else "finished"
            raise WorkflowAlreadyStarted(
                f"Workflow execution already {how}. WorkflowId: {request.job_id}, RunId: {known.run_id}.",
                start_request_id=known.run_id,
                run_id=known.run_id,
                first_run_id=known.run_id,
            )
        running = sum(
            batch.state == RUNNING for (namespace_id, _), batch in self._all.items() if namespace_id == namespace.id
        )
        if running >= BATCHES_AT_ONCE:
            raise ResourceExhausted(
                f"Max concurrent batch operations is reached: {BATCHES_AT_ONCE} run in {namespace.name}; "
                "wait for one to end, or stop one",
                ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT,
            )
        batch = Batch(request, self._namespaces.new_id(), self._clock.now())
        if batch.operation not in self._operations.by_field:
            raise Unimplemented(f"batches with {batch.operation} are not built into this server yet")
        batch.total = len(request.executions) + len(request.target_executions)
        self._all[(namespace.id, request.job_id)] = batch
        await self._keep(namespace.id, batch)
        self._go(namespace.id, batch)
        return StartBatchOperationResponse()

    async def stop_batch_operation(
        self, namespace: Namespace, request: StopBatchOperationRequest, call: Call
    ) -> StopBatchOperationResponse:
        batch = self._require(namespace, request.job_id)
        if batch.state != RUNNING:
            raise NotFound("workflow execution already completed")
        task = self._tasks.pop((namespace.id, request.job_id), None)
        if task is not None:
            task.cancel()
        batch.stop_reason = request.reason
        batch.end(FAILED, self._clock.now())
        await self._keep(namespace.id, batch)
        return StopBatchOperationResponse()

    async def describe_batch_operation(
        self, namespace: Namespace, request: DescribeBatchOperationRequest, call: Call
    ) -> DescribeBatchOperationResponse:
        batch = self._require(namespace, request.job_id)
        return DescribeBatchOperationResponse(
            operation_type=batches.TYPES[batch.operation],
            job_id=request.job_id,
            state=batch.state,
            start_time=timestamp(batch.started),
            close_time=timestamp(batch.closed) if batch.closed else None,
            total_operation_count=batch.total,
            complete_operation_count=batch.done,
            failure_operation_count=batch.failed,
            identity=batch.identity,
            reason=batch.stop_reason or batch.request.reason,
            query=batch.request.visibility_query,
            executions=[
                Execution(type=ExecutionType.EXECUTION_TYPE_WORKFLOW, business_id=each.workflow_id, run_id=each.run_id)
                for each in batch.request.executions
            ]
            or batch.request.target_executions,
        )

    async def list_batch_operations(
        self, namespace: Namespace, request: ListBatchOperationsRequest, call: Call
    ) -> ListBatchOperationsResponse:
        """The newest first; the page token is the job id of the last one."""
        self._forget_old(namespace)
        mine = [batch for (namespace_id, _), batch in self._all.items() if namespace_id == namespace.id]
        mine.sort(key=lambda batch: (-batch.started, batch.request.job_id))
        first = 0
        if request.next_page_token:
            places = [i for i, b in enumerate(mine) if b.request.job_id.encode() == request.next_page_token]
            if not places:
                raise InvalidArgument("Invalid NextPageToken: pass the token of the page before, unchanged, or none.")
            first = places[0] + 1
        size = min(request.page_size, PAGE_SIZE_MAX) if request.page_size > 0 else PAGE_SIZE_MAX
        page = mine[first : first + size]
        more = first + size < len(mine)
        return ListBatchOperationsResponse(
            operation_info=[_info(batch) for batch in page],
            next_page_token=page[-1].request.job_id.encode() if more else b"",
        )

    def _require(self, namespace: Namespace, job_id: str) -> Batch:
        self._forget_old(namespace)
        batch = self._all.get((namespace.id, job_id))
        if batch is None:
            raise NotFound(f"workflow not found for ID: {job_id}")
        return batch

    # -- keeping

    def _keep(self, namespace_id: str, batch: Batch) -> asyncio.Future[None]:
        """Write the batch and its line in the lists with the next commit."""
        self._writer.put_entity(EntityRow(KIND, namespace_id, batch.request.job_id, batches.encode(batch)))
        return self._writer.put_visible(_record(namespace_id, self._namespaces.by_id(namespace_id).name, batch))

    def _forget_old(self, namespace: Namespace) -> None:
        if not namespace.retention:
            return
        before = self._clock.now() - namespace.retention
        for key, batch in list(self._all.items()):
            if key[0] == namespace.id and batch.closed and batch.closed < before:
                del self._all[key]
                self._writer.delete_entity(KIND, *key)
                self._writer.delete_visible(key[0], batch.run_id)

    def forget_namespace(self, namespace_id: str) -> None:
        """Stop and forget all batches of a namespace."""
        for key, batch in [each for each in self._all.items() if each[0][0] == namespace_id]:
            task = self._tasks.get(key)
            if task is not None:
                task.cancel()
            del self._all[key]
            self._writer.delete_entity(KIND, *key)
            self._writer.delete_visible(namespace_id, batch.run_id)

    # -- carrying out

    def _go(self, namespace_id: str, batch: Batch) -> None:
        key = (namespace_id, batch.request.job_id)
        task = asyncio.get_running_loop().create_task(self._carry_out(namespace_id, batch))
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _carry_out(self, namespace_id: str, batch: Batch) -> None:
        namespace = self._namespaces.by_id(namespace_id)
        wanted = batch.request.max_operations_per_second
        pace = _Pace(wanted if 0 < wanted < BATCH_RATE else BATCH_RATE)
        try:
            if batch.request.visibility_query:
                await self._by_query(namespace, batch, pace)
            else:
                await self._by_list(namespace, batch, pace)
        except ServiceError as error:
            batch.stop_reason = f"{batch.request.reason}: {error}"
            batch.end(FAILED, self._clock.now())
        else:
            batch.end(COMPLETED, self._clock.now())
        await self._keep(namespace_id, batch)

    async def _by_query(self, namespace: Namespace, batch: Batch, pace: _Pace) -> None:
        """Page by page. Raises InvalidArgument for a filter that names what there is not."""
        parsed = parse_filter(batch.request.visibility_query, namespace.attribute_types)
        if not batch.total:
            counted = await self._storage.read_visibility("count", parsed, namespace.id)
            batch.total = counted.total
        while True:
            page = await self._storage.read_visibility("list", parsed, namespace.id, BATCH_PAGE, batch.page)
            targets = [
                WorkflowExecution(workflow_id=record.workflow_id, run_id=record.run_id)
                for record in page.records
                if batch.meant(record.close_time)
            ]
            await self._do(namespace, batch, targets, pace)
            batch.page = page.token
            if not page.token:
                batch.total = batch.done + batch.failed
                return
            await self._keep(namespace.id, batch)

    async def _by_list(self, namespace: Namespace, batch: Batch, pace: _Pace) -> None:
        request = batch.request
        named = list(request.executions) or [
            WorkflowExecution(workflow_id=each.business_id, run_id=each.run_id) for each in request.target_executions
        ]
        while batch.place < len(named):
            page = named[batch.place : batch.place + BATCH_PAGE]
            await self._do(namespace, batch, page, pace)
            batch.place += len(page)
            await self._keep(namespace.id, batch)

    async def _do(self, namespace: Namespace, batch: Batch, targets: Sequence[WorkflowExecution], pace: _Pace) -> None:
        for target in targets:
            if await self._tried(namespace, batch, target, pace):
                batch.done += 1
            else:
                batch.failed += 1

    async def _tried(self, namespace: Namespace, batch: Batch, target: WorkflowExecution, pace: _Pace) -> bool:
        """Do it to one run, a few times if need be. Whether it worked."""
        for attempt in range(BATCH_ATTEMPTS):
            await pace.wait()
            try:
                await self._operations.apply(namespace, batch, target)
            except (InvalidArgument, Unimplemented) as error:
                log.info("batch %s: %s: %s", batch.request.job_id, target.workflow_id, error)
                return False
            except ServiceError as error:
                log.info("batch %s: %s: attempt %d: %s", batch.request.job_id, target.workflow_id, attempt + 1, error)
            else:
                return True
        return False


class _Pace:
    """At most so many operations a second, and a turn of the loop for everyone else after each few."""

    def __init__(self, per_second: float) -> None:
        self._step = 1 / per_second
        self._next = 0.0

    async def wait(self) -> None:
        now = asyncio.get_running_loop().time()
        self._next = max(self._next + self._step, now - 10 * self._step)
        await asyncio.sleep(max(0.0, self._next - now))


def _info(batch: Batch) -> BatchOperationInfo:
    return BatchOperationInfo(
        job_id=batch.request.job_id,
        state=batch.state,
        start_time=timestamp(batch.started),
        close_time=timestamp(batch.closed) if batch.closed else None,
        operation_type=batches.TYPES[batch.operation],
    )


def _record(namespace_id: str, namespace: str, batch: Batch) -> VisibilityRecord:
    """The batch as lists of its division show it."""
    status = WorkflowExecutionStatus
    known = {
        RUNNING: status.WORKFLOW_EXECUTION_STATUS_RUNNING,
        COMPLETED: status.WORKFLOW_EXECUTION_STATUS_COMPLETED,
        FAILED: status.WORKFLOW_EXECUTION_STATUS_TERMINATED,
    }
    return VisibilityRecord(
        namespace_id=namespace_id,
        workflow_id=batch.request.job_id,
        run_id=batch.run_id,
        workflow_type=_TYPE,
        task_queue=_QUEUE,
        status=known[batch.state],
        start_time=batch.started,
        execution_time=batch.started,
        root_workflow_id=batch.request.job_id,
        root_run_id=batch.run_id,
        close_time=batch.closed or None,
        execution_duration=batch.closed - batch.started if batch.closed else None,
        division=BATCH_DIVISION,
        indexed=(
            IndexedAttribute("BatcherNamespace", KEYWORD, namespace),
            IndexedAttribute("BatcherUser", KEYWORD, batch.identity),
        ),
    )
