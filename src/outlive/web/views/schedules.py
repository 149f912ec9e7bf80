"""Schedules: the list with next starts, and one of them with what it started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.json_format import MessageToJson
from temporalio.api.enums.v1 import ScheduleOverlapPolicy
from temporalio.api.schedule.v1 import Range, ScheduleSpec, StructuredCalendarSpec
from temporalio.api.workflowservice.v1 import DescribeScheduleRequest, ListSchedulesRequest

from outlive.client import WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import payloads, times
from outlive.web.views import status as statuses
from outlive.web.views.groups import RunLink
from outlive.web.views.payloads import PayloadView
from outlive.web.views.status import Status

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One schedule of the list."""

    id: str
    workflow_type: str
    paused: bool
    note: str
    timing: str
    next: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class SchedulesView:
    """The list, what is due first on top. ``more``: there are others."""

    namespace: str
    rows: list[ScheduleRow]
    more: bool


@dataclass(frozen=True, slots=True)
class Started:
    """One start: when it was due, when it came, and its run."""

    due: datetime | None
    at: datetime | None
    link: RunLink
    status: Status


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """One schedule. ``spec`` is its timing as JSON; ``overlap`` what it does where a run is still open."""

    namespace: str
    row: ScheduleRow
    workflow_id: str
    task_queue: str
    overlap: str
    upcoming: list[datetime]
    recent: list[Started]
    running: list[RunLink]
    input: list[PayloadView]
    spec: str
    starts: int
    missed: int
    skipped: int
    problem: str
    created: datetime | None
    updated: datetime | None


async def load(client: WorkflowServiceClient, namespace: str) -> SchedulesView:
    """Ask the server. Raises RpcError."""
    answer = await client.list_schedules(
        ListSchedulesRequest(namespace=namespace, maximum_page_size=bounds.SCHEDULES_PAGE)
    )
    rows = []
    for one in answer.schedules:
        info = one.info
        upcoming = [times.moment(at) for at in info.future_action_times]
        recent = [times.moment(result.actual_time) for result in info.recent_actions]
        rows.append(
            ScheduleRow(
                id=one.schedule_id,
                workflow_type=info.workflow_type.name,
                paused=info.paused,
                note=info.notes,
                timing=timing(info.spec),
                next=upcoming[0] if upcoming and not info.paused else None,
                last=recent[-1] if recent else None,
            )
        )
    rows.sort(key=lambda row: (row.next or _NEVER, row.id))
    return SchedulesView(namespace, rows, bool(answer.next_page_token))


async def one(client: WorkflowServiceClient, namespace: str, schedule_id: str) -> ScheduleView:
    """One schedule. Raises RpcError."""
    found = await client.describe_schedule(DescribeScheduleRequest(namespace=namespace, schedule_id=schedule_id))
    schedule, info = found.schedule, found.info
    action = schedule.action.start_workflow
    upcoming = [at for at in map(times.moment, info.future_action_times) if at is not None]
    recent = [
        Started(
            times.moment(result.schedule_time),
            times.moment(result.actual_time),
            RunLink(namespace, result.start_workflow_result.workflow_id, result.start_workflow_result.run_id),
            statuses.of_run(result.start_workflow_status),
        )
        for result in reversed(info.recent_actions)
    ]
    policy = ScheduleOverlapPolicy.Name(schedule.policies.overlap_policy)
    row = ScheduleRow(
        id=schedule_id,
        workflow_type=action.workflow_type.name,
        paused=schedule.state.paused,
        note=schedule.state.notes,
        timing=timing(schedule.spec),
        next=upcoming[0] if upcoming and not schedule.state.paused else None,
        last=recent[0].at if recent else None,
    )
    return ScheduleView(
        namespace=namespace,
        row=row,
        workflow_id=action.workflow_id,
        task_queue=action.task_queue.name,
        overlap=policy.removeprefix("SCHEDULE_OVERLAP_POLICY_").replace("_", " ").lower(),
        upcoming=upcoming[: bounds.SCHEDULE_NEXT],
        recent=recent,
        running=[RunLink(namespace, run.workflow_id, run.run_id) for run in info.running_workflows],
        input=[payloads.shaped(p, bounds.PREVIEW_RUN, f"input[{at}]") for at, p in enumerate(action.input.payloads)],
        spec=MessageToJson(schedule.spec),
        starts=info.action_count,
        missed=info.missed_catchup_window,
        skipped=info.overlap_skipped,
        problem=info.invalid_schedule_error,
        created=times.moment(info.create_time),
        updated=times.moment(info.update_time),
    )


def timing(spec: ScheduleSpec) -> str:
    """The timing in a few words: intervals, cron lines, and how many calendars."""
    parts = [f"every {times.span(times.seconds(one.interval))}" for one in spec.interval]
    parts += list(spec.cron_string)
    parts += [one.comment or _calendar(one) for one in spec.structured_calendar]
    if spec.calendar:
        parts.append(f"{len(spec.calendar)} calendar{'s' if len(spec.calendar) > 1 else ''}")
    zone = f" ({spec.timezone_name})" if spec.timezone_name else ""
    return (", ".join(parts) or "by hand only") + zone


_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _calendar(one: StructuredCalendarSpec) -> str:
    """``Mon 06:00``, ``1 Jan 00:30``, ``02:30``; as a cron line where that takes more words."""
    minutes, hours = _all(one.minute), _all(one.hour)
    days, dates, months = _all(one.day_of_week), _all(one.day_of_month), _all(one.month)
    if len(minutes) * len(hours) != 1 or one.year:
        return " ".join(map(_range, (one.minute, one.hour, one.day_of_month, one.month, one.day_of_week)))
    when = f"{hours[0]:02}:{minutes[0]:02}"
    if 0 < len(months) < 12:
        when = f"{', '.join(_MONTHS[month] for month in months)} {when}"
    if 0 < len(dates) < 31:
        when = f"{', '.join(map(str, dates))}{'.' if len(months) in (0, 12) else ''} {when}"
    return f"{', '.join(_DAYS[day % 7] for day in days)} {when}" if 0 < len(days) < 7 else when


def _all(ranges: Sequence[Range]) -> list[int]:
    """Every value of the ranges; few, since they are minutes to months."""
    return [at for one in ranges for at in range(one.start, max(one.end, one.start) + 1, max(one.step, 1))][:60]


def _range(ranges: Sequence[Range]) -> str:
    """As a field of a cron line."""
    parts = []
    for one in ranges:
        text = str(one.start) if one.end <= one.start else f"{one.start}-{one.end}"
        parts.append(f"{text}/{one.step}" if one.step > 1 else text)
    whole = {"0-59", "0-23", "1-31", "1-12", "0-6"}
    return ",".join("*" if part in whole else part for part in parts) or "*"
