"""Every key that changes behaviour here. To add one: a line here, and `config.get(keys.NAME, namespace)` where it
is needed; `outlive server config` lists it from then on.

Names and meanings are Temporal's; `there` is the default of its development server where ours is another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from outlive import limits
from outlive.dynamic.kinds import NAMES, NUMBER, RULES, SPAN, SWITCH, WHOLE, Kind
from outlive.limits import HOUR, SECOND, DeploymentLimits, ExecutionLimits, RequestLimits

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """A key of the dynamic configuration."""

    name: str
    kind: Kind[T]
    default: T
    meaning: str
    there: T | None = None


KEYS: Final[dict[str, Key[Any]]] = {}  # by lower-case name: Temporal's keys are case-insensitive
_BY_NAME: Final[dict[str, Key[Any]]] = {}  # older names as well


def _key(
    name: str, kind: Kind[T], default: T, meaning: str, *, there: T | None = None, aliases: Sequence[str] = ()
) -> Key[T]:
    key = Key(name, kind, default, meaning, there)
    for each in (name, *aliases):
        assert find(each) is None, f"{each} is there twice"
        _BY_NAME[each.lower()] = key
    KEYS[name.lower()] = key
    return key


def find(name: str) -> Key[Any] | None:
    """The key of that name, or of which it is an older name."""
    return _BY_NAME.get(name.lower())


# Limits of one execution -----------------------------------------------------------------------------
_E = ExecutionLimits()
EXECUTION: Final[Mapping[str, Key[int]]] = {
    "payload_size_max": _key("limit.blobSize.error", WHOLE, _E.payload_size_max, "bytes of one input or result"),
    "memo_size_max": _key("limit.memoSize.error", WHOLE, _E.memo_size_max, "bytes of a memo"),
    "history_events_max": _key(
        "limit.historyCount.error", WHOLE, _E.history_events_max, "events of a history; then the run is terminated"
    ),
    "history_size_max": _key(
        "limit.historySize.error", WHOLE, _E.history_size_max, "bytes of a history; then the run is terminated"
    ),
    "suggest_events": _key(
        "limit.historyCount.suggestContinueAsNew",
        WHOLE,
        _E.suggest_events,
        "events from which on workers are told to continue as new",
    ),
    "suggest_size": _key(
        "limit.historySize.suggestContinueAsNew",
        WHOLE,
        _E.suggest_size,
        "bytes of a history from which on workers are told to continue as new",
    ),
    "pending_activities_max": _key(
        "limit.numPendingActivities.error", WHOLE, _E.pending_activities_max, "activities of a run at the same time"
    ),
    "pending_children_max": _key(
        "limit.numPendingChildExecutions.error", WHOLE, _E.pending_children_max, "children of a run at the same time"
    ),
    "pending_signals_max": _key(
        "limit.numPendingSignals.error", WHOLE, _E.pending_signals_max, "signals of a run on their way to others"
    ),
    "pending_cancels_max": _key(
        "limit.numPendingCancelRequests.error",
        WHOLE,
        _E.pending_cancels_max,
        "cancel requests of a run on their way to others",
    ),
    "signals_max": _key("history.maximumSignalsPerExecution", WHOLE, _E.signals_max, "signals that a run takes"),
    "buffered_events_max": _key(
        "history.maximumBufferedEventsBatch",
        WHOLE,
        _E.buffered_events_max,
        "events that wait for a workflow task to end; one more fails the task",
    ),
    "buffered_size_max": _key(
        "history.maximumBufferedEventsSizeInBytes", WHOLE, _E.buffered_size_max, "bytes of those events"
    ),
    "buffered_queries_max": _key(
        "history.MaxBufferedQueryCount", WHOLE, _E.buffered_queries_max, "queries that wait for a workflow task"
    ),
    "updates_in_flight_max": _key(
        "history.maxInFlightUpdates", WHOLE, _E.updates_in_flight_max, "updates of a run at the same time"
    ),
    "updates_total_max": _key("history.maxTotalUpdates", WHOLE, _E.updates_total_max, "updates that a run takes"),
    "time_skips_max": _key(
        "frontend.WorkflowTimeSkippingMaxSkipPerSession",
        WHOLE,
        _E.time_skips_max,
        "skips of time that a run makes, where a client asks for no other limit",
    ),
    "callbacks_max": _key(
        "callback.maxPerExecution",
        WHOLE,
        _E.callbacks_max,
        "completion callbacks of a run",
        aliases=("system.maxCallbacksPerWorkflow",),
    ),
}

# Worker deployments -----------------------------------------------------------------------------------
_D = DeploymentLimits()
DEPLOYMENTS: Final[Mapping[str, Key[int]]] = {
    "deployments_max": _key("matching.maxDeployments", WHOLE, _D.deployments_max, "worker deployments of a namespace"),
    "versions_max": _key("matching.maxVersionsInDeployment", WHOLE, _D.versions_max, "versions of a deployment"),
    "queues_max": _key(
        "matching.maxTaskQueuesInDeploymentVersion", WHOLE, _D.queues_max, "task queues of a deployment version"
    ),
    "versions_in_queue_max": _key(
        "matching.maxVersionsInTaskQueue", WHOLE, _D.versions_in_queue_max, "versions that poll one task queue"
    ),
    "drainage_grace": _key(
        "matching.wv.VersionDrainageStatusVisibilityGracePeriod",
        SPAN,
        _D.drainage_grace,
        "wait before it is first looked whether a version has drained",
    ),
    "drainage_refresh": _key(
        "matching.wv.VersionDrainageStatusRefreshInterval", SPAN, _D.drainage_refresh, "wait between two such looks"
    ),
}

# Requests ---------------------------------------------------------------------------------------------
_R = RequestLimits()
REQUESTS: Final[Mapping[str, Key[Any]]] = {
    "namespace_rps": _key("frontend.namespaceRPS", WHOLE, _R.namespace_rps, "requests a second of a namespace"),
    "namespace_burst_ratio": _key(
        "frontend.namespaceBurstRatio",
        NUMBER,
        _R.namespace_burst_ratio,
        "seconds' worth of a namespace's requests that may come at once",
    ),
    "visibility_rps": _key(
        "frontend.namespaceRPS.visibility", WHOLE, _R.visibility_rps, "lists and counts a second of a namespace"
    ),
    "visibility_burst_ratio": _key(
        "frontend.namespaceBurstRatio.visibility",
        NUMBER,
        _R.visibility_burst_ratio,
        "seconds' worth of lists and counts that may come at once",
    ),
    "long_polls_max": _key(
        "frontend.namespaceCount",
        WHOLE,
        _R.long_polls_max,
        "requests of a namespace that wait at once, of each method that waits",
        there=1_200,
    ),
}

# Task queues ------------------------------------------------------------------------------------------
PRIORITY_LEVELS = _key(
    "matching.priorityLevels",
    WHOLE,
    limits.PRIORITY_LEVELS,
    "levels of priority in a task queue; the middle one is normal",
)

# Switches ---------------------------------------------------------------------------------------------
PAUSE = _key("frontend.WorkflowPauseEnabled", SWITCH, True, "workflows can be paused", there=False)
TIME_SKIPPING = _key(
    "frontend.WorkflowTimeSkippingEnabled", SWITCH, True, "single workflows can skip time", there=False
)
EAGER_START = _key(
    "system.enableEagerWorkflowStart", SWITCH, True, "a start may hand its first workflow task to the caller"
)
UPDATES = _key("frontend.enableUpdateWorkflowExecution", SWITCH, True, "workflows can be updated")
MULTI_OPERATIONS = _key("frontend.enableExecuteMultiOperation", SWITCH, True, "update with start")
SCHEDULES = _key("frontend.enableSchedules", SWITCH, True, "schedules")
BATCHES = _key("frontend.enableBatcher", SWITCH, True, "batch operations")
WORKER_DEPLOYMENTS = _key("system.enableDeploymentVersions", SWITCH, True, "worker deployments and their versions")
WORKER_HEARTBEATS = _key("frontend.WorkerHeartbeatsEnabled", SWITCH, True, "workers are asked to tell how they are")

# Completion callbacks ---------------------------------------------------------------------------------
CALLBACK_ADDRESSES = _key(
    "callback.allowedAddresses",
    RULES,
    (),
    "addresses that completion callbacks may have, as rules of Pattern and AllowInsecure",
    aliases=("component.callbacks.allowedAddresses",),
)
CALLBACK_TIMEOUT = _key(
    "callback.request.timeout",
    SPAN,
    10 * SECOND,
    "wait for the answer to a callback",
    aliases=("component.callbacks.request.timeout",),
)
CALLBACK_RETRY_INITIAL = _key(
    "callback.retryPolicy.initialInterval",
    SPAN,
    SECOND,
    "wait before a callback is tried again; it doubles each time",
    aliases=("component.callbacks.retryPolicy.initialInterval",),
)
CALLBACK_RETRY_MAXIMUM = _key(
    "callback.retryPolicy.maximumInterval",
    SPAN,
    HOUR,
    "longest wait before a callback is tried again",
    aliases=("component.callbacks.retryPolicy.maximumInterval",),
)

# Namespaces -------------------------------------------------------------------------------------------
PROTECTED_NAMESPACES = _key("worker.protectedNamespaces", NAMES, (), "namespaces that cannot be deleted")
NAMESPACE_DELETE_DELAY = _key(
    "frontend.deleteNamespaceNamespaceDeleteDelay",
    SPAN,
    0,
    "how long a deleted namespace can still be described, where the request does not say",
)

# HTTP -------------------------------------------------------------------------------------------------
HTTP_HOSTS = _key(
    "frontend.httpAllowedHosts",
    NAMES,
    ("*",),
    "hosts that HTTP requests may be made to, * stands for anything",
)
