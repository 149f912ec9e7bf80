"""Dynamic configuration: the keys of Temporal's that change behaviour here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from outlive.errors import StartupError
from outlive.limits import ExecutionLimits

log = logging.getLogger(__name__)

KEYS: Mapping[str, str] = {
    "limit.blobSize.error": "payload_size_max",
    "limit.memoSize.error": "memo_size_max",
    "limit.historyCount.error": "history_events_max",
    "limit.historySize.error": "history_size_max",
    "limit.historyCount.suggestContinueAsNew": "suggest_events",
    "limit.historySize.suggestContinueAsNew": "suggest_size",
    "limit.numPendingActivities.error": "pending_activities_max",
    "limit.numPendingChildExecutions.error": "pending_children_max",
    "limit.numPendingSignals.error": "pending_signals_max",
    "limit.numPendingCancelRequests.error": "pending_cancels_max",
    "history.maximumSignalsPerExecution": "signals_max",
    "history.maximumBufferedEventsBatch": "buffered_events_max",
    "history.maximumBufferedEventsSizeInBytes": "buffered_size_max",
    "history.MaxBufferedQueryCount": "buffered_queries_max",
    "history.maxInFlightUpdates": "updates_in_flight_max",
    "history.maxTotalUpdates": "updates_total_max",
    "frontend.WorkflowTimeSkippingMaxSkipPerSession": "time_skips_max",
}
_BY_LOWER = {key.lower(): name for key, name in KEYS.items()}  # Temporal's keys are case-insensitive


def execution_limits(values: Mapping[str, object]) -> ExecutionLimits:
    """The limits with the given keys applied. Keys that mean nothing here are noted and passed over."""
    changes: dict[str, int] = {}
    for key, value in values.items():
        name = _BY_LOWER.get(key.lower())
        if name is None:
            log.debug("dynamic configuration %s is not known here", key)
        elif isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise StartupError(f"dynamic configuration {key} takes a whole number, not {value!r}.")
        else:
            changes[name] = value
    return replace(ExecutionLimits(), **changes)
