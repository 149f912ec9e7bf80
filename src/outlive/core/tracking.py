"""What the server itself notes on a run as its workflow tasks end: builds, reset points, problems."""

from __future__ import annotations

from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.workflow.v1 import ResetPointInfo, ResetPoints
from temporalio.api.workflowservice.v1 import RespondWorkflowTaskCompletedRequest

from outlive.core import version_attributes
from outlive.core.commands.properties import set_search_attributes
from outlive.core.proto import timestamp
from outlive.core.transition import Transition
from outlive.core.version_attributes import keyword_list
from outlive.core.version_names import VersionName
from outlive.limits import REPORTED_PROBLEMS_AFTER, RESET_POINTS_MAX

REPORTED_PROBLEMS = "TemporalReportedProblems"


def _set(t: Transition, name: str, value: Payload) -> None:
    changes = SearchAttributes()
    changes.indexed_fields[name].CopyFrom(value)
    set_search_attributes(t.state, changes)


def task_completed(
    t: Transition, request: RespondWorkflowTaskCompletedRequest, event_id: int, version: VersionName | None
) -> None:
    """A worker of the version completed a task: note its build, and that the run has no problems now."""
    info = t.state.info
    if info.task_failures >= REPORTED_PROBLEMS_AFTER:
        _set(t, REPORTED_PROBLEMS, Payload(metadata={"encoding": b"json/plain"}, data=b"null"))
    info.task_failures = 0
    version_attributes.note(t.state, request.worker_version_stamp, version)
    build_id = version.build_id if version is not None else request.worker_version_stamp.build_id
    key = request.binary_checksum or build_id
    points = ResetPoints.FromString(info.reset_points) if info.reset_points is not None else ResetPoints()
    if any(_key(point) == key for point in points.points):
        return
    points.points.append(
        ResetPointInfo(
            build_id=build_id,
            binary_checksum=request.binary_checksum,
            run_id=t.state.start.run_id,
            first_workflow_task_completed_id=event_id,
            create_time=timestamp(t.now),
            resettable=not (t.state.children or t.state.signals or t.state.cancels),
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
        _set(t, REPORTED_PROBLEMS, keyword_list([f"category={category}", f"cause={cause}"]))
