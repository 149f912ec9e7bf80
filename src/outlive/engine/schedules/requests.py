"""The RPCs on schedules."""

from __future__ import annotations

import asyncio

from temporalio.api.failure.v1 import Failure
from temporalio.api.workflowservice.v1 import (
    CountSchedulesRequest,
    CountSchedulesResponse,
    CreateScheduleRequest,
    CreateScheduleResponse,
    DeleteScheduleRequest,
    DeleteScheduleResponse,
    DescribeScheduleRequest,
    DescribeScheduleResponse,
    ListScheduleMatchingTimesRequest,
    ListScheduleMatchingTimesResponse,
    ListSchedulesRequest,
    ListSchedulesResponse,
    PatchScheduleRequest,
    PatchScheduleResponse,
    UpdateScheduleRequest,
    UpdateScheduleResponse,
)

from outlive.core.filter import SCHEDULES, ParsedFilter, parse_filter
from outlive.core.proto import timestamp
from outlive.core.schedules import changes, views
from outlive.core.visibility import SCHEDULE_ID_PREFIX
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespace
from outlive.engine.schedules.held import Entry, Key
from outlive.engine.schedules.schedules import Schedules
from outlive.errors import FailedPrecondition, InvalidArgument, QueryFailed
from outlive.limits import PAGE_SIZE_MAX
from outlive.store.port import Storage

_LISTED_AT_ONCE = 50  # entries of a list made in one turn of the loop


class ScheduleRequests:
    """What clients ask of schedules."""

    def __init__(self, schedules: Schedules, storage: Storage) -> None:
        self._schedules = schedules
        self._held = schedules.held
        self._storage = storage

    def _named(self, namespace: Namespace, schedule_id: str) -> Entry:
        return self._schedules.require(Key(namespace.id, schedule_id))

    async def create_schedule(
        self, namespace: Namespace, request: CreateScheduleRequest, call: Call
    ) -> CreateScheduleResponse:
        entry = self._schedules.create(Key(namespace.id, request.schedule_id), request)
        response = CreateScheduleResponse(conflict_token=changes.conflict_token(entry.schedule))
        await self._held.committed(entry)
        return response

    async def describe_schedule(
        self, namespace: Namespace, request: DescribeScheduleRequest, call: Call
    ) -> DescribeScheduleResponse:
        entry = self._named(namespace, request.schedule_id)
        response = views.description(entry.schedule, self._schedules.next_times(entry), self._held.problem(entry))
        await self._held.committed(entry)
        return response

    async def update_schedule(
        self, namespace: Namespace, request: UpdateScheduleRequest, call: Call
    ) -> UpdateScheduleResponse:
        entry = self._named(namespace, request.schedule_id)
        spec = self._held.specs.compiled(request.schedule.spec).canonical
        self._schedules.change(entry, lambda schedule, now: changes.update(schedule, request, spec, now))
        await self._held.committed(entry)
        return UpdateScheduleResponse()

    async def patch_schedule(
        self, namespace: Namespace, request: PatchScheduleRequest, call: Call
    ) -> PatchScheduleResponse:
        entry = self._named(namespace, request.schedule_id)
        self._schedules.change(
            entry, lambda schedule, now: changes.patch(schedule, request.patch, request.request_id, now)
        )
        await self._held.committed(entry)
        return PatchScheduleResponse()

    async def delete_schedule(
        self, namespace: Namespace, request: DeleteScheduleRequest, call: Call
    ) -> DeleteScheduleResponse:
        entry = self._named(namespace, request.schedule_id)
        self._schedules.delete(entry)
        await self._held.committed(entry)
        return DeleteScheduleResponse()

    async def list_schedule_matching_times(
        self, namespace: Namespace, request: ListScheduleMatchingTimesRequest, call: Call
    ) -> ListScheduleMatchingTimesResponse:
        entry = self._named(namespace, request.schedule_id)
        if not request.HasField("start_time") or not request.HasField("end_time"):
            words = "StartTime and EndTime must be set on request."
            raise QueryFailed(words, Failure(message=words))  # with the detail that Temporal's answer has
        times = self._held.timetable(entry)
        if times is None:
            raise FailedPrecondition(self._held.problem(entry))
        matches = times.within(request.start_time.ToNanoseconds(), request.end_time.ToNanoseconds())
        return ListScheduleMatchingTimesResponse(start_time=[timestamp(time) for time in matches])

    # -- lists

    async def list_schedules(
        self, namespace: Namespace, request: ListSchedulesRequest, call: Call
    ) -> ListSchedulesResponse:
        parsed = _filter(namespace, request.query)
        if parsed.group_by is not None:
            raise InvalidArgument("invalid query: GROUP BY is not for lists")
        asked = request.maximum_page_size
        size = min(asked, PAGE_SIZE_MAX) if asked > 0 else PAGE_SIZE_MAX
        page = await self._storage.read_visibility("list", parsed, namespace.id, size, request.next_page_token)
        response = ListSchedulesResponse(next_page_token=page.token)
        for number, record in enumerate(page.records):
            if number % _LISTED_AT_ONCE == _LISTED_AT_ONCE - 1:
                await asyncio.sleep(0)
            key = Key(namespace.id, record.workflow_id.removeprefix(SCHEDULE_ID_PREFIX))
            entry = self._held.get(key)
            if entry is not None:  # it may have been deleted since
                response.schedules.append(views.list_entry(entry.schedule, self._schedules.next_times(entry)))
        return response

    async def count_schedules(
        self, namespace: Namespace, request: CountSchedulesRequest, call: Call
    ) -> CountSchedulesResponse:
        parsed = _filter(namespace, request.query)
        if parsed.group_by is not None:
            raise InvalidArgument("invalid query: schedules cannot be counted in groups")
        count = await self._storage.read_visibility("count", parsed, namespace.id)
        return CountSchedulesResponse(count=count.total)


def _filter(namespace: Namespace, query: str) -> ParsedFilter:
    return parse_filter(query, namespace.attribute_types, SCHEDULES)
