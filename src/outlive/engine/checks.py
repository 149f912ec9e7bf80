"""What of the core the edge needs to check a request, before the engine sees it."""

from __future__ import annotations

from temporalio.api.common.v1 import RetryPolicy, SearchAttributes
from temporalio.api.workflowservice.v1 import (
    SignalWithStartWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)

from outlive.core import retry, search_attributes, start_defaults
from outlive.core.cron import parse_cron
from outlive.engine.namespaces import Namespace


def check_cron(text: str) -> None:
    """Raises InvalidArgument if the cron string is none, or can never fire."""
    parse_cron(text)


def retry_problem(policy: RetryPolicy) -> str | None:
    """What is wrong with the policy, in the protocol's words."""
    return retry.problem(policy)


def fill_in_start(request: StartWorkflowExecutionRequest | SignalWithStartWorkflowExecutionRequest) -> None:
    """Give a start request the defaults of times and policies."""
    start_defaults.fill_in(request)


def checked_attributes(attributes: SearchAttributes, namespace: Namespace) -> SearchAttributes:
    """The attributes with their types. Raises InvalidArgument if the namespace does not take them."""
    return search_attributes.validate(attributes, namespace.attribute_types, namespace.name)
