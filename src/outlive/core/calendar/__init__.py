"""When schedules fire: specs of calendars, intervals and cron lines, and the times that they stand for."""

from outlive.core.calendar.spec import MATCHING_TIMES_MAX, CompiledSpec, Match, compile_spec

__all__ = ["MATCHING_TIMES_MAX", "CompiledSpec", "Match", "compile_spec"]
