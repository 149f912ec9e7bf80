"""Resets."""

from __future__ import annotations

from outlive.api import validation as v
from outlive.api.rpcs import Rpcs
from outlive.engine.engine import Engine


def rpcs(engine: Engine) -> Rpcs:
    return {
        "ResetWorkflowExecution": (v.resets.reset, engine.resets.reset_workflow_execution),
    }
