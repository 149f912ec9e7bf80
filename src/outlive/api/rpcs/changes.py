"""What clients change about a run from outside of its code."""

from __future__ import annotations

from outlive.api import validation as v
from outlive.api.rpcs import Rpcs
from outlive.engine.engine import Engine


def rpcs(engine: Engine) -> Rpcs:
    changes = engine.changes
    return {
        "PauseWorkflowExecution": (v.changes.pause, changes.pause_workflow_execution),
        "UnpauseWorkflowExecution": (v.changes.pause, changes.unpause_workflow_execution),
        "UpdateWorkflowExecutionOptions": (v.changes.options, changes.update_workflow_execution_options),
    }
