"""Executions: starting, signalling, asking, listing them."""

from __future__ import annotations

from outlive.api import validation as v
from outlive.api.rpcs import Rpcs
from outlive.engine.engine import Engine


def rpcs(engine: Engine) -> Rpcs:
    runs, seen, hist = engine.lifecycle, engine.descriptions, engine.histories
    return {
        "StartWorkflowExecution": (v.starts.start, engine.starts.start_workflow_execution),
        "SignalWithStartWorkflowExecution": (
            v.starts.signal_with_start,
            engine.starts.signal_with_start_workflow_execution,
        ),
        "SignalWorkflowExecution": (v.executions.signal, runs.signal_workflow_execution),
        "RequestCancelWorkflowExecution": (v.executions.cancel, runs.request_cancel_workflow_execution),
        "TerminateWorkflowExecution": (v.executions.terminate, runs.terminate_workflow_execution),
        "DeleteWorkflowExecution": (v.executions.delete, runs.delete_workflow_execution),
        "QueryWorkflow": (v.executions.query, engine.queries.query_workflow),
        "UpdateWorkflowExecution": (v.executions.update, engine.updates.update_workflow_execution),
        "PollWorkflowExecutionUpdate": (v.executions.poll_update, engine.updates.poll_workflow_execution_update),
        "PollWorkflowExecutionTimeSkipping": (
            v.time_skipping.poll,
            engine.fast_forwards.poll_workflow_execution_time_skipping,
        ),
        "ExecuteMultiOperation": (
            v.multi_operations.execute,
            engine.multi_operations.execute_multi_operation,
        ),
        "DescribeWorkflowExecution": (v.executions.describe, seen.describe_workflow_execution),
        "GetWorkflowExecutionHistory": (v.executions.history, hist.get_workflow_execution_history),
        "GetWorkflowExecutionHistoryReverse": (v.executions.history, hist.get_workflow_execution_history_reverse),
        "ListWorkflowExecutions": (v.nothing, seen.list_workflow_executions),
        "ScanWorkflowExecutions": (v.nothing, seen.scan_workflow_executions),
        "ListOpenWorkflowExecutions": (v.lists.window, seen.list_open_workflow_executions),
        "ListClosedWorkflowExecutions": (v.lists.closed, seen.list_closed_workflow_executions),
        "CountWorkflowExecutions": (v.nothing, seen.count_workflow_executions),
    }
