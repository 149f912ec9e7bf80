"""A plain request for each RPC: what the fuzz spoils. An RPC without one starts from its namespace alone."""

from __future__ import annotations

from typing import Any, Final

EXECUTION: Final = {"workflowId": "witness"}
START: Final = {
    "workflowId": "made-by-fuzz",
    "workflowType": {"name": "T"},
    "taskQueue": {"name": "fuzz"},
    "requestId": "r",
    "identity": "fuzz",
}
_SCHEDULE: Final = {
    "spec": {"interval": [{"interval": "86400s"}]},
    "action": {"startWorkflow": {"workflowId": "w", "workflowType": {"name": "T"}, "taskQueue": {"name": "fuzz"}}},
}
_VERSION: Final = {"deploymentName": "fuzz", "buildId": "1"}

REQUESTS: Final[dict[str, dict[str, Any]]] = {
    "StartWorkflowExecution": START,
    "SignalWithStartWorkflowExecution": {**START, "signalName": "s"},
    "SignalWorkflowExecution": {"workflowExecution": EXECUTION, "signalName": "s", "requestId": "r"},
    "RequestCancelWorkflowExecution": {"workflowExecution": {"workflowId": "cancelled"}, "requestId": "r"},
    "TerminateWorkflowExecution": {"workflowExecution": {"workflowId": "terminated"}},
    "DeleteWorkflowExecution": {"workflowExecution": {"workflowId": "deleted"}},
    "ResetWorkflowExecution": {
        "workflowExecution": EXECUTION,
        "workflowTaskFinishEventId": 4,
        "requestId": "r",
        "reason": "fuzz",
    },
    "QueryWorkflow": {"execution": {"workflowId": "terminated"}, "query": {"queryType": "q"}},
    "UpdateWorkflowExecution": {
        "workflowExecution": {"workflowId": "terminated"},
        "request": {"meta": {"updateId": "u"}, "input": {"name": "u"}},
    },
    "PollWorkflowExecutionUpdate": {"updateRef": {"workflowExecution": EXECUTION, "updateId": "u"}},
    "DescribeWorkflowExecution": {"execution": EXECUTION},
    "GetWorkflowExecutionHistory": {"execution": EXECUTION},
    "GetWorkflowExecutionHistoryReverse": {"execution": EXECUTION},
    "UpdateWorkflowExecutionOptions": {"workflowExecution": EXECUTION, "updateMask": "priority"},
    "PauseWorkflowExecution": {"workflowId": "paused", "requestId": "r", "reason": "fuzz"},
    "UnpauseWorkflowExecution": {"workflowId": "paused", "requestId": "r", "reason": "fuzz"},
    "ResetStickyTaskQueue": {"execution": EXECUTION},
    "DescribeTaskQueue": {"taskQueue": {"name": "fuzz"}, "taskQueueType": "TASK_QUEUE_TYPE_WORKFLOW"},
    "PollWorkflowTaskQueue": {"taskQueue": {"name": "nobody"}, "identity": "fuzz"},
    "PollActivityTaskQueue": {"taskQueue": {"name": "nobody"}, "identity": "fuzz"},
    "RespondActivityTaskCompletedById": {"workflowId": "witness", "activityId": "1"},
    "RespondActivityTaskFailedById": {"workflowId": "witness", "activityId": "1"},
    "RespondActivityTaskCanceledById": {"workflowId": "witness", "activityId": "1"},
    "RecordActivityTaskHeartbeatById": {"workflowId": "witness", "activityId": "1"},
    "PauseActivity": {"execution": EXECUTION, "id": "1"},
    "UnpauseActivity": {"execution": EXECUTION, "id": "1"},
    "ResetActivity": {"execution": EXECUTION, "id": "1"},
    "UpdateActivityOptions": {"execution": EXECUTION, "id": "1", "updateMask": "scheduleToCloseTimeout"},
    "CreateSchedule": {"scheduleId": "made-by-fuzz", "schedule": _SCHEDULE, "requestId": "r"},
    "DescribeSchedule": {"scheduleId": "witness"},
    "UpdateSchedule": {"scheduleId": "witness", "schedule": _SCHEDULE, "requestId": "r"},
    "PatchSchedule": {"scheduleId": "witness", "patch": {"pause": "fuzz"}, "requestId": "r"},
    "ListScheduleMatchingTimes": {
        "scheduleId": "witness",
        "startTime": "2026-01-01T00:00:00Z",
        "endTime": "2026-01-03T00:00:00Z",
    },
    "DeleteSchedule": {"scheduleId": "absent"},
    "StartBatchOperation": {
        "jobId": "made-by-fuzz",
        "reason": "fuzz",
        "visibilityQuery": "WorkflowId = 'nothing'",
        "terminationOperation": {},
    },
    "DescribeBatchOperation": {"jobId": "absent"},
    "StopBatchOperation": {"jobId": "absent", "reason": "fuzz"},
    "RegisterNamespace": {"namespace": "made-by-fuzz", "workflowExecutionRetentionPeriod": "86400s"},
    "UpdateNamespace": {"namespace": "spare", "updateInfo": {"description": "d"}},
    "DeprecateNamespace": {"namespace": "spare"},
    "DeleteNamespace": {"namespace": "absent"},
    "AddSearchAttributes": {"namespace": "default", "searchAttributes": {"Fuzzed": "INDEXED_VALUE_TYPE_KEYWORD"}},
    "RemoveSearchAttributes": {"namespace": "default", "searchAttributes": ["Absent"]},
    "DescribeWorkerDeployment": {"deploymentName": "fuzz"},
    "DescribeWorkerDeploymentVersion": {"deploymentVersion": _VERSION},
    "SetWorkerDeploymentCurrentVersion": {"deploymentName": "fuzz", "buildId": "1"},
    "SetWorkerDeploymentRampingVersion": {"deploymentName": "fuzz", "buildId": "1", "percentage": 5},
    "DeleteWorkerDeployment": {"deploymentName": "fuzz"},
    "DeleteWorkerDeploymentVersion": {"deploymentVersion": _VERSION},
    "UpdateWorkerDeploymentVersionMetadata": {"deploymentVersion": _VERSION},
    "ListWorkflowExecutions": {"query": "WorkflowId = 'witness'", "pageSize": 10},
    "CountWorkflowExecutions": {"query": "WorkflowId = 'witness'"},
    "ListSchedules": {"maximumPageSize": 10},
    "UpdateTaskQueueConfig": {"taskQueue": "fuzz", "taskQueueType": "TASK_QUEUE_TYPE_WORKFLOW"},
    "ExecuteMultiOperation": {
        "operations": [
            {"startWorkflow": {"namespace": "default", **START, "workflowIdConflictPolicy": 2}},
            {
                "updateWorkflow": {
                    "namespace": "default",
                    "workflowExecution": {"workflowId": "another"},
                    "request": {"meta": {"updateId": "u"}, "input": {"name": "u"}},
                }
            },
        ]
    },
}

NOT_ASKED: Final = frozenset({"LockTimeSkipping", "Sleep", "SleepUntil", "UnlockTimeSkippingWithSleep"})
"""Of the test server: they move or hold the clock, and have tests of their own."""

WAITS: Final = frozenset(
    {
        "ExecuteMultiOperation",
        "GetWorkflowExecutionHistory",
        "PollActivityTaskQueue",
        "PollNexusTaskQueue",
        "PollWorkflowExecutionUpdate",
        "PollWorkflowTaskQueue",
        "QueryWorkflow",
        "UpdateWorkflowExecution",
    }
)
"""Wait for a worker or for something new, and may use up the caller's time."""
