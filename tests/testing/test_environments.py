"""Environments: the SDK's own kind, with a server of their own."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import WorkflowFailureError, WorkflowUpdateStage
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError, TimeoutType
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from outlive.testing import TimeSkippingEnvironment, environment, time_skipping_environment

SLACK = timedelta(seconds=30)  # of a machine that has other things to do


@workflow.defn
class Subscription:
    """Charges once a month until it is cancelled."""

    def __init__(self) -> None:
        self.months = 0
        self.over = False

    @workflow.run
    async def run(self, months: int) -> int:
        for _ in range(months):
            await workflow.sleep(timedelta(days=30))
            self.months += 1
        return self.months

    @workflow.query
    def paid(self) -> int:
        return self.months

    @workflow.update
    async def extend(self, days: int) -> int:
        await workflow.sleep(timedelta(days=days))
        return self.months


@workflow.defn
class Doubts:
    @workflow.run
    async def run(self) -> None:
        assert 1 + 1 == 3, "sums are off"


@workflow.defn
class Impatient:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            "oversleeps",
            schedule_to_close_timeout=timedelta(days=1),
            heartbeat_timeout=timedelta(minutes=1),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


def worker(env: WorkflowEnvironment) -> Worker:
    return Worker(
        env.client,
        task_queue="q",
        workflows=[Subscription, Doubts],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


async def test_an_environment_runs_workflows() -> None:
    async with environment() as env, worker(env):
        assert not env.supports_time_skipping
        assert await env.client.execute_workflow(Subscription.run, 0, id="w", task_queue="q") == 0


async def test_a_namespace_that_is_asked_for_is_there() -> None:
    async with environment(namespace="shop") as env, worker(env):
        assert env.client.namespace == "shop"
        assert await env.client.execute_workflow(Subscription.run, 0, id="w", task_queue="q") == 0


async def test_an_assertion_fails_its_workflow() -> None:
    async with time_skipping_environment() as env, worker(env):
        with pytest.raises(WorkflowFailureError) as failure:
            await env.client.execute_workflow(Doubts.run, id="w", task_queue="q")
        assert isinstance(failure.value.cause, ApplicationError)
        assert "sums are off" in failure.value.cause.message


async def test_waiting_for_a_result_skips_time() -> None:
    async with time_skipping_environment() as env, worker(env):
        began = await env.get_current_time()
        before = time.monotonic()
        assert await env.client.execute_workflow(Subscription.run, 12, id="w", task_queue="q") == 12
        assert time.monotonic() - before < 5
        assert await env.get_current_time() - began == pytest.approx(timedelta(days=360), abs=SLACK)


async def test_several_results_at_once() -> None:
    async with time_skipping_environment() as env, worker(env):
        handles = [
            await env.client.start_workflow(Subscription.run, months, id=f"w{months}", task_queue="q")
            for months in (3, 1, 2)
        ]
        assert await asyncio.gather(*(handle.result() for handle in handles)) == [3, 1, 2]
        again = env.client.get_workflow_handle("w3")  # a handle that this client did not start the workflow with
        assert await again.result() == 3


async def test_time_passes_by_hand() -> None:
    async with time_skipping_environment() as env, worker(env):
        handle = await env.client.start_workflow(Subscription.run, 12, id="w", task_queue="q")
        for month in range(1, 4):
            await env.sleep(timedelta(days=30, minutes=1))
            assert await handle.query(Subscription.paid) == month
        with env.auto_time_skipping_disabled():
            late = asyncio.ensure_future(handle.result())
            await env.sleep(timedelta(days=30))
            assert await handle.query(Subscription.paid) == 4
            assert not late.done()
            await env.sleep(timedelta(days=300))
            assert await late == 12


async def test_sleeping_while_a_result_is_waited_for() -> None:
    async with time_skipping_environment() as env, worker(env):
        handle = await env.client.start_workflow(Subscription.run, 2, id="w", task_queue="q")
        async with env.unlocked():
            await env.sleep(timedelta(days=61))
            assert await handle.result() == 2


async def test_an_activity_that_lets_time_pass_can_time_out() -> None:
    async with time_skipping_environment() as env:

        @activity.defn
        async def oversleeps() -> None:
            activity.heartbeat()
            await env.sleep(timedelta(hours=1))
            activity.heartbeat()

        async with Worker(
            env.client,
            task_queue="q",
            workflows=[Impatient],
            activities=[oversleeps],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            began = await env.get_current_time()
            with pytest.raises(WorkflowFailureError) as failure:
                await env.client.execute_workflow(Impatient.run, id="w", task_queue="q")
            assert isinstance(failure.value.cause, ActivityError)
            assert isinstance(failure.value.cause.cause, TimeoutError)
            assert failure.value.cause.cause.type == TimeoutType.HEARTBEAT
            assert await env.get_current_time() - began < timedelta(hours=1) + SLACK


async def test_waiting_for_an_update_skips_time() -> None:
    async with time_skipping_environment() as env, worker(env):
        handle = await env.client.start_workflow(Subscription.run, 12, id="w", task_queue="q")
        assert await handle.execute_update(Subscription.extend, 45) == 1
        accepted = await handle.start_update(
            Subscription.extend, 10, wait_for_stage=WorkflowUpdateStage.ACCEPTED, result_type=int
        )
        assert await handle.query(Subscription.paid) == 1
        await env.sleep(timedelta(days=20))
        assert await accepted.result() == 1


async def test_an_environment_from_a_client() -> None:
    async with time_skipping_environment() as env, worker(env):
        config = env.client.config()
        other = TimeSkippingEnvironment.from_client(env.client)
        assert other.supports_time_skipping
        assert len(other.client.config()["interceptors"]) > len(config["interceptors"])
        before = await other.get_current_time()
        await other.sleep(3600)
        assert await env.get_current_time() - before == pytest.approx(timedelta(hours=1), abs=SLACK)
