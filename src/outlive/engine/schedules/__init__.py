"""Schedules: `held` keeps them, `schedules` wakes them and acts, `workflows` starts and watches, `requests` answers."""

from outlive.engine.schedules.requests import ScheduleRequests
from outlive.engine.schedules.schedules import Schedules

__all__ = ["ScheduleRequests", "Schedules"]
