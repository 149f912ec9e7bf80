"""Operations on pending activities. What they would change is checked when the activity has been found."""

from __future__ import annotations

from typing import Any

from outlive.api.validation.common import UUID, Scope
from outlive.errors import InvalidArgument


def operation(request: Any, scope: Scope) -> None:
    """PauseActivity, UnpauseActivity, ResetActivity, UpdateActivityOptions."""
    if not request.execution.workflow_id:
        raise InvalidArgument("WorkflowId is not set on request.")
    if request.execution.run_id and not UUID.fullmatch(request.execution.run_id):
        raise InvalidArgument("RunId is not valid UUID.")
    kind = request.WhichOneof("activity")
    if kind is None or not getattr(request, kind):
        raise InvalidArgument("Either Activity.Id or Activity.Type should be set on request.")
