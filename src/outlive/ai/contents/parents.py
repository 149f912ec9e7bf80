"""Which workflow is whose child: a codec is told the workflow's id alone, and its result goes to its parent.

The parent's history refers to that result for as long as it exists, which may be longer than the child does.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from temporalio import workflow
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from outlive.ai.contents.store import Owner
from outlive.limits import CONTENTS_PARENTS_MAX

_EXTERN: Final = "outlive_contents_parent"
_parents: OrderedDict[Owner, Owner] = OrderedDict()


def parent_of(child: Owner) -> Owner | None:
    """The parent of a workflow that runs in this process."""
    return _parents.get(child)


def _remember(child: Owner, parent: Owner) -> None:
    _parents[child] = parent
    _parents.move_to_end(child)
    while len(_parents) > CONTENTS_PARENTS_MAX:
        _parents.popitem(last=False)


class ParentsInterceptor(Interceptor):
    """Notes each child workflow's parent where its worker's codec finds it."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """See the SDK."""
        input.unsafe_extern_functions[_EXTERN] = _remember
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        info = workflow.info()
        if info.parent is not None:
            own = Owner(info.namespace, info.workflow_id)
            parent = Owner(info.parent.namespace, info.parent.workflow_id)
            workflow.extern_functions()[_EXTERN](own, parent)
        return await super().execute_workflow(input)
