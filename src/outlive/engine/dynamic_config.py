"""Dynamic configuration: the keys of Temporal's that change behaviour here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from outlive.core.calendar.durations import parse_duration
from outlive.errors import StartupError
from outlive.limits import DeploymentLimits, ExecutionLimits

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
DEPLOYMENT_KEYS: Mapping[str, str] = {
    "matching.maxDeployments": "deployments_max",
    "matching.maxVersionsInDeployment": "versions_max",
    "matching.maxTaskQueuesInDeploymentVersion": "queues_max",
    "matching.maxVersionsInTaskQueue": "versions_in_queue_max",
    "matching.wv.VersionDrainageStatusVisibilityGracePeriod": "drainage_grace",
    "matching.wv.VersionDrainageStatusRefreshInterval": "drainage_refresh",
}
_DURATIONS = frozenset({"drainage_grace", "drainage_refresh"})
# Temporal's keys are case-insensitive
_BY_LOWER = {key.lower(): name for key, name in KEYS.items()}
_DEPLOYMENT_BY_LOWER = {key.lower(): name for key, name in DEPLOYMENT_KEYS.items()}


def execution_limits(values: Mapping[str, object]) -> ExecutionLimits:
    """The limits with the given keys applied. Keys that mean nothing here are noted and passed over."""
    changes: dict[str, int] = {}
    for key, value in values.items():
        name = _BY_LOWER.get(key.lower())
        if name is not None:
            changes[name] = _whole_number(key, value)
        elif key.lower() not in _DEPLOYMENT_BY_LOWER:
            log.debug("dynamic configuration %s is not known here", key)
    return replace(ExecutionLimits(), **changes)


def deployment_limits(values: Mapping[str, object]) -> DeploymentLimits:
    """The limits of worker deployments with the given keys applied."""
    changes: dict[str, int] = {}
    for key, value in values.items():
        name = _DEPLOYMENT_BY_LOWER.get(key.lower())
        if name is not None:
            changes[name] = _duration(key, value) if name in _DURATIONS else _whole_number(key, value)
    return replace(DeploymentLimits(), **changes)


def _whole_number(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise StartupError(f"dynamic configuration {key} takes a whole number, not {value!r}.")
    return value


def _duration(key: str, value: object) -> int:
    duration = parse_duration(value) if isinstance(value, str) else None
    if duration is None or duration < 0:
        raise StartupError(f"dynamic configuration {key} takes a duration such as 3m or 10s, not {value!r}.")
    return duration
