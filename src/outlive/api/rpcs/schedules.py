"""Schedules."""

from __future__ import annotations

from outlive.api import validation as v
from outlive.api.rpcs import Rpcs
from outlive.engine.engine import Engine


def rpcs(engine: Engine) -> Rpcs:
    s, check = engine.schedule_requests, v.schedules
    return {
        "CreateSchedule": (check.create, s.create_schedule),
        "DescribeSchedule": (check.named, s.describe_schedule),
        "UpdateSchedule": (check.update, s.update_schedule),
        "PatchSchedule": (check.patch, s.patch_schedule),
        "DeleteSchedule": (check.named, s.delete_schedule),
        "ListScheduleMatchingTimes": (check.matching_times, s.list_schedule_matching_times),
        "ListSchedules": (v.nothing, s.list_schedules),
        "CountSchedules": (v.nothing, s.count_schedules),
    }
