"""What the server itself notes on a run as its workflow tasks end: builds, reset points, problems."""

from __future__ import annotations

from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.history.v1 import WorkflowTaskCompletedEventAttributes
from temporalio.api.workflow.v1 import ResetPointInfo, ResetPoints

from outlive.core import version_attributes, versioning
from outlive.core.commands.properties import set_search_attributes
from outlive.core.proto import timestamp
from outlive.core.state import State
from outlive.core.transition import Transition
from outlive.core.version_attributes import keyword_list
from outlive.core.version_names import named
from outlive.limits import REPORTED_PROBLEMS_AFTER, RESET_POINTS_MAX

REPORTED_PROBLEMS = "TemporalReportedProblems"


def _set(state: State, name: str, value: Payload) -> None:
    changes = SearchAttributes()
    changes.indexed_fields[name].CopyFrom(value)
    set_search_attributes(state, changes)


def task_completed(state: State, at: int, event_id: int, event: WorkflowTaskCompletedEventAttributes) -> bool:
    """What the Completed event of a workflow task says of the run, when it happens and when it is replayed:
    how far the worker has come, its version and build, and that there are no problems now.

    True if the run has moved to another version, so that waiting activities must be offered again.
    """
    info = state.info
    stamp = event.worker_version.SerializeToString() if event.HasField("worker_version") else info.worker_version
    same_build = bool(info.last_completed_event_id) and stamp == info.worker_version
    info.last_started_event_id = event.started_event_id
    info.last_completed_event_id = event_id
    info.worker_version = stamp
    if info.task_failures >= REPORTED_PROBLEMS_AFTER:
        _set(state, REPORTED_PROBLEMS, Payload(metadata={"encoding": b"json/plain"}, data=b"null"))
    info.task_failures = 0
    version = named(event.deployment_version)
    moved = versioning.completed(state, version, event.versioning_behavior, event.worker_deployment_name)
    if moved or not same_build or (version is not None and version != versioning.version(versioning.info_of(state))):
        version_attributes.note(state, event.worker_version, version)
    build_id = version.build_id if version is not None else event.worker_version.build_id
    _add_reset_point(state, at, event_id, event.binary_checksum, build_id)
    return moved


def _add_reset_point(state: State, at: int, event_id: int, checksum: str, build_id: str) -> None:
    """Note the first task that a build has completed."""
    info = state.info
    points = ResetPoints.FromString(info.reset_points) if info.reset_points is not None else ResetPoints()
    if any(_key(point) == (checksum or build_id) for point in points.points):
        return
    points.points.append(
        ResetPointInfo(
            build_id=build_id,
            binary_checksum=checksum,
            run_id=state.start.run_id,
            first_workflow_task_completed_id=event_id,
            create_time=timestamp(at),
            resettable=not (state.children or state.signals or state.cancels),
        )
    )
    del points.points[:-RESET_POINTS_MAX]
    info.reset_points = points.SerializeToString()


def _key(point: ResetPointInfo) -> str:
    return point.binary_checksum or point.build_id


def task_failed(t: Transition, cause: WorkflowTaskFailedCause.ValueType) -> None:
    """A task failed: after a few in a row the run says so in a search attribute."""
    known = cause in WorkflowTaskFailedCause.values()
    name = WorkflowTaskFailedCause.Name(cause).title().replace("_", "") if known else str(cause)
    _problem(t, "WorkflowTaskFailed", name)


def task_timed_out(t: Transition) -> None:
    """A started task timed out: counts as a failure."""
    _problem(t, "WorkflowTaskTimedOut", "WorkflowTaskTimedOutCauseStartToClose")


def _problem(t: Transition, category: str, cause: str) -> None:
    info = t.state.info
    info.task_failures += 1
    if info.task_failures >= REPORTED_PROBLEMS_AFTER:
        _set(t.state, REPORTED_PROBLEMS, keyword_list([f"category={category}", f"cause={cause}"]))
