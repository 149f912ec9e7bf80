"""What the server itself notes on a run as its workflow tasks end: build ids, reset points, problems."""

from __future__ import annotations

import json
from collections.abc import Sequence

from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.workflow.v1 import ResetPointInfo, ResetPoints
from temporalio.api.workflowservice.v1 import RespondWorkflowTaskCompletedRequest

from outlive.core.commands.properties import set_search_attributes
from outlive.core.proto import timestamp
from outlive.core.transition import Transition
from outlive.limits import REPORTED_PROBLEMS_AFTER, RESET_POINTS_MAX

BUILD_IDS = "BuildIds"
REPORTED_PROBLEMS = "TemporalReportedProblems"


def keyword_list(values: Sequence[str]) -> Payload:
    """A search attribute value of type KeywordList."""
    data = json.dumps(list(values), separators=(",", ":")).encode()
    return Payload(metadata={"encoding": b"json/plain", "type": b"KeywordList"}, data=data)


def _set(t: Transition, name: str, value: Payload) -> None:
    changes = SearchAttributes()
    changes.indexed_fields[name].CopyFrom(value)
    set_search_attributes(t.state, changes)


def task_completed(t: Transition, request: RespondWorkflowTaskCompletedRequest, event_id: int) -> None:
    """A worker completed a task: note its build, and that the run has no problems now."""
    info = t.state.info
    if info.task_failures >= REPORTED_PROBLEMS_AFTER:
        _set(t, REPORTED_PROBLEMS, Payload(metadata={"encoding": b"json/plain"}, data=b"null"))
    info.task_failures = 0
    build_id = request.worker_version_stamp.build_id
    builds = ["unversioned", f"unversioned:{build_id}"] if build_id else ["unversioned"]
    _add_builds(t, builds)
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


def _add_builds(t: Transition, builds: Sequence[str]) -> None:
    attributes = SearchAttributes.FromString(t.state.attributes.search_attributes or b"")
    known: list[str] = []
    if BUILD_IDS in attributes.indexed_fields:
        known = json.loads(attributes.indexed_fields[BUILD_IDS].data)
    new = [build for build in builds if build not in known]
    if new:
        _set(t, BUILD_IDS, keyword_list([*known, *new]))


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
