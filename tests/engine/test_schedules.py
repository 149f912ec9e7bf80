"""Schedules through the official SDK: they fire, pass results on, hold their policies, and are found in lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleOverlapPolicy,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from tests.engine.schedule_workflows import Waits, described, end, schedule, until, worker, workflow_ids

ALLOW_ALL = ScheduleOverlapPolicy.ALLOW_ALL
PAUSED = ScheduleState(paused=True)
KEYWORD = SearchAttributeKey.for_keyword("CustomKeywordField")


async def test_it_fires_by_itself_until_its_actions_are_used_up(client: Client) -> None:
    state = ScheduleState(limited_actions=True, remaining_actions=2)
    handle = await client.create_schedule("s", schedule(every=1, overlap=ALLOW_ALL, state=state))
    async with worker(client):
        seen = await described(handle, lambda d: d.info.num_actions == 2)
        for workflow_id in workflow_ids(seen):
            assert await client.get_workflow_handle(workflow_id).result() == "done after nothing"
    assert seen.schedule.state.remaining_actions == 0
    assert seen.info.next_action_times == []
    first, second = (recent.scheduled_at for recent in seen.info.recent_actions)
    assert second - first == timedelta(seconds=1)


async def test_what_it_starts_says_where_it_comes_from(client: Client) -> None:
    action = {
        "memo": {"m": "memo"},
        "static_summary": "summary",
        "typed_search_attributes": TypedSearchAttributes([SearchAttributePair(KEYWORD, "kw")]),
        "run_timeout": timedelta(hours=1),
    }
    handle = await client.create_schedule("s", schedule(state=PAUSED, **action))
    await handle.trigger()
    (workflow_id,) = workflow_ids(await handle.describe())
    run = await client.get_workflow_handle(workflow_id).describe()
    attributes = run.typed_search_attributes
    assert attributes[SearchAttributeKey.for_keyword("TemporalScheduledById")] == "s"
    at = attributes[SearchAttributeKey.for_datetime("TemporalScheduledStartTime")]
    assert workflow_id == f"scheduled-{at:%Y-%m-%dT%H:%M:%SZ}"
    assert attributes[KEYWORD] == "kw"
    assert await run.memo() == {"m": "memo"}
    assert await run.static_summary() == "summary"
    listed = [found.id async for found in client.list_workflows("TemporalScheduledById = 's'")]
    assert listed == [workflow_id]


async def test_results_and_failures_go_to_the_next_run(client: Client) -> None:
    handle = await client.create_schedule("s", schedule(word="", state=PAUSED))
    results = []
    async with worker(client):
        for number, word in enumerate(["one", "fail", "two", "three"], start=1):
            await handle.trigger()
            seen = await described(handle, lambda d, number=number: d.info.num_actions == number)
            workflow_id = workflow_ids(seen)[-1]
            await end(client, workflow_id, word)
            try:
                results.append(await client.get_workflow_handle(workflow_id).result())
            except WorkflowFailureError:
                results.append("failed")
    assert results == [
        "one after nothing",
        "failed",
        "two after one after nothing and told to fail",
        "three after two after one after nothing and told to fail",
    ]


async def test_a_failure_pauses_it(client: Client) -> None:
    handle = await client.create_schedule("s", schedule("fail", policy={"pause_on_failure": True}))
    async with worker(client):
        await handle.trigger()
        seen = await described(handle, lambda d: d.schedule.state.paused)
    (workflow_id,) = workflow_ids(seen)
    assert seen.schedule.state.note == f"paused due to workflow failure: {workflow_id}: told to fail"


async def test_a_buffered_action_waits_for_the_end_of_the_running_one(client: Client) -> None:
    overlap = ScheduleOverlapPolicy.BUFFER_ONE
    handle = await client.create_schedule("s", schedule(word="", overlap=overlap, state=PAUSED))
    async with worker(client):
        for _ in range(3):
            await handle.trigger()
        seen = await handle.describe()
        assert (seen.info.num_actions, seen.info.num_actions_skipped_overlap) == (1, 1)
        (first,) = workflow_ids(seen)
        assert len(seen.info.running_actions) == 1
        await end(client, first)
        seen = await described(handle, lambda d: d.info.num_actions == 2)
        assert workflow_ids(seen)[1] != first


@pytest.mark.parametrize(
    ("overlap", "status"),
    [
        (ScheduleOverlapPolicy.CANCEL_OTHER, WorkflowExecutionStatus.CANCELED),
        (ScheduleOverlapPolicy.TERMINATE_OTHER, WorkflowExecutionStatus.TERMINATED),
    ],
)
async def test_the_running_one_makes_room(
    client: Client, overlap: ScheduleOverlapPolicy, status: WorkflowExecutionStatus
) -> None:
    handle = await client.create_schedule("s", schedule(word="", overlap=overlap, state=PAUSED))
    async with worker(client):
        await handle.trigger()
        await handle.trigger()
        seen = await described(handle, lambda d: d.info.num_actions == 2)
        first, second = (client.get_workflow_handle(each) for each in workflow_ids(seen))
        assert (await first.describe()).status == status
        assert (await second.describe()).status == WorkflowExecutionStatus.RUNNING


async def test_its_workflow_may_continue_as_new_or_be_retried(client: Client) -> None:
    """A chain of runs is one action: the next one waits for the last run's end."""
    retry = RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_attempts=3)
    overlap = ScheduleOverlapPolicy.BUFFER_ALL
    handle = await client.create_schedule("s", schedule("fail", overlap=overlap, state=PAUSED, retry_policy=retry))
    async with worker(client):
        await handle.trigger()
        await handle.trigger()
        seen = await described(handle, lambda d: d.info.num_actions == 2)
        first = client.get_workflow_handle(workflow_ids(seen)[0])
        runs = [run async for run in client.list_workflows(f"WorkflowId = '{first.id}'")]
        assert len(runs) == 3


async def test_a_reset_workflow_is_still_the_same_action(client: Client) -> None:
    overlap = ScheduleOverlapPolicy.BUFFER_ALL
    handle = await client.create_schedule("s", schedule(word="", overlap=overlap, state=PAUSED))
    async with worker(client):
        await handle.trigger()
        await handle.trigger()
        (first,) = workflow_ids(await handle.describe())
        waiting = client.get_workflow_handle(first)
        await waiting.signal(Waits.poke)
        await until(waiting.describe, lambda run: run.history_length > 5)
        reset = ResetWorkflowExecutionRequest(
            namespace="default", workflow_task_finish_event_id=4, request_id="r", reason="again"
        )
        reset.workflow_execution.workflow_id = first
        await client.workflow_service.reset_workflow_execution(reset)
        assert (await handle.describe()).info.num_actions == 1
        await end(client, first)
        seen = await described(handle, lambda d: d.info.num_actions == 2)
        second = workflow_ids(seen)[1]
        await end(client, second, "two")
        assert await client.get_workflow_handle(second).result() == "two after done after nothing"


async def test_a_backfill_starts_the_past(client: Client) -> None:
    handle = await client.create_schedule("s", schedule(every=3600, state=PAUSED))
    begin = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
    await handle.backfill(ScheduleBackfill(start_at=begin, end_at=begin + timedelta(hours=3), overlap=ALLOW_ALL))
    seen = await described(handle, lambda d: d.info.num_actions == 3)
    assert [recent.scheduled_at.hour for recent in seen.info.recent_actions] == [10, 11, 12]


async def test_an_update_changes_what_is_started(client: Client) -> None:
    handle = await client.create_schedule("s", schedule(every=3600))

    def change(given: ScheduleUpdateInput) -> ScheduleUpdate:
        action = given.description.schedule.action
        assert isinstance(action, ScheduleActionStartWorkflow)
        action.id = "renamed"
        return ScheduleUpdate(given.description.schedule)

    await handle.update(change)
    await handle.trigger()
    seen = await handle.describe()
    assert workflow_ids(seen)[0].startswith("renamed-")
    assert seen.info.last_updated_at is not None
    assert len(seen.info.next_action_times) == 10


async def test_an_id_is_taken_until_the_schedule_is_deleted(client: Client) -> None:
    handle = await client.create_schedule("s", schedule(state=PAUSED))
    with pytest.raises(ScheduleAlreadyRunningError):
        await client.create_schedule("s", schedule())
    await handle.trigger()
    await handle.delete()
    for refused in (handle.describe, handle.delete, handle.pause, handle.trigger):
        with pytest.raises(RPCError) as caught:
            await refused()
        assert caught.value.status == RPCStatusCode.NOT_FOUND
    assert await client.count_workflows("TemporalScheduledById = 's'"), "what it has started goes on"
    again = await client.create_schedule("s", schedule(state=PAUSED))
    assert (await again.describe()).info.num_actions == 0


async def test_lists_find_schedules_by_their_attributes(client: Client) -> None:
    for number in range(7):
        attributes = TypedSearchAttributes([SearchAttributePair(KEYWORD, f"kw{number % 2}")])
        state = ScheduleState(paused=number < 3, note=f"note {number}")
        await client.create_schedule(
            f"s{number}",
            schedule(every=3600, state=state),
            search_attributes=attributes,
            memo={"number": number},
        )

    async def found(query: str, page_size: int = 2) -> list[str]:
        listed = await client.list_schedules(query, page_size=page_size)
        return sorted([each.id async for each in listed])

    assert await found("") == [f"s{number}" for number in range(7)]
    assert await found("TemporalSchedulePaused = true") == ["s0", "s1", "s2"]
    assert await found("CustomKeywordField = 'kw1' AND TemporalSchedulePaused = false") == ["s3", "s5"]
    assert await found("ScheduleId = 's4'") == ["s4"]
    await client.get_schedule_handle("s0").unpause()
    assert await found("TemporalSchedulePaused = true") == ["s1", "s2"]
    await client.get_schedule_handle("s1").delete()
    assert await found("TemporalSchedulePaused = true") == ["s2"]
    (entry,) = [each async for each in await client.list_schedules("ScheduleId = 's6'")]
    assert entry.schedule is not None
    assert entry.schedule.state.note == "note 6"
    assert entry.info is not None
    assert len(entry.info.next_action_times) == 5
    assert await entry.memo_value("number") == 6
    assert entry.typed_search_attributes[KEYWORD] == "kw0"
    with pytest.raises(RPCError) as caught:
        await found("WorkflowType = 'Waits'")
    assert caught.value.status == RPCStatusCode.INVALID_ARGUMENT
    workflows = [each async for each in client.list_workflows("")]
    assert workflows == [], "schedules are no workflows"


async def test_a_refused_start_is_lost_and_nothing_else(client: Client) -> None:
    """Two schedules whose workflows have the same ids: the second cannot start its own while the first's runs."""
    begin = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
    for name, hours in (("a", 0), ("b", 1)):
        handle = await client.create_schedule(name, schedule(every=3600, state=PAUSED))
        past = ScheduleBackfill(start_at=begin, end_at=begin + timedelta(hours=hours), overlap=ALLOW_ALL)
        await handle.backfill(past)
        seen = await handle.describe()
        assert [recent.scheduled_at for recent in seen.info.recent_actions] == [begin + timedelta(hours=hours)]
