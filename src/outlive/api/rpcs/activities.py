"""What people do to pending activities."""

from __future__ import annotations

from outlive.api import validation as v
from outlive.api.rpcs import Rpcs
from outlive.engine.engine import Engine


def rpcs(engine: Engine) -> Rpcs:
    operations = engine.activity_operations
    return {
        "PauseActivity": (v.activities.operation, operations.pause_activity),
        "UnpauseActivity": (v.activities.operation, operations.unpause_activity),
        "ResetActivity": (v.activities.operation, operations.reset_activity),
        "UpdateActivityOptions": (v.activities.operation, operations.update_activity_options),
    }
