"""What workers call: polls, answers, heartbeats."""

from __future__ import annotations

from outlive.api import validation as v
from outlive.api.rpcs import Rpcs
from outlive.engine.engine import Engine


def rpcs(engine: Engine) -> Rpcs:
    tasks, acts = engine.workflow_tasks, engine.activity_tasks
    return {
        "PollWorkflowTaskQueue": (v.tasks.poll, tasks.poll_workflow_task_queue),
        "RespondWorkflowTaskCompleted": (v.tasks.answered, tasks.respond_workflow_task_completed),
        "RespondWorkflowTaskFailed": (v.tasks.answered, tasks.respond_workflow_task_failed),
        "RespondQueryTaskCompleted": (v.nothing, engine.queries.respond_query_task_completed),
        "ResetStickyTaskQueue": (v.executions.describe, tasks.reset_sticky_task_queue),
        "PollActivityTaskQueue": (v.tasks.poll_activity, acts.poll_activity_task_queue),
        "RecordActivityTaskHeartbeat": (v.nothing, acts.record_activity_task_heartbeat),
        "RecordActivityTaskHeartbeatById": (v.tasks.by_id, acts.record_activity_task_heartbeat_by_id),
        "RespondActivityTaskCompleted": (v.tasks.answered, acts.respond_activity_task_completed),
        "RespondActivityTaskCompletedById": (v.tasks.answered_by_id, acts.respond_activity_task_completed_by_id),
        "RespondActivityTaskFailed": (v.tasks.failed, acts.respond_activity_task_failed),
        "RespondActivityTaskFailedById": (v.tasks.answered_by_id, acts.respond_activity_task_failed_by_id),
        "RespondActivityTaskCanceled": (v.tasks.answered, acts.respond_activity_task_canceled),
        "RespondActivityTaskCanceledById": (v.tasks.answered_by_id, acts.respond_activity_task_canceled_by_id),
    }
