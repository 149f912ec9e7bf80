"""List filters: `WorkflowType = 'Order' AND CloseTime IS NULL`, parsed and checked, with no store in mind."""

from outlive.core.filter.lexer import FilterError
from outlive.core.filter.nodes import ParsedFilter
from outlive.core.filter.parser import parse_filter
from outlive.core.filter.scopes import ACTIVITIES, SCHEDULES, WORKFLOWS, Scope
from outlive.core.filter.worker_filter import parse_worker_filter

__all__ = [
    "ACTIVITIES",
    "SCHEDULES",
    "WORKFLOWS",
    "FilterError",
    "ParsedFilter",
    "Scope",
    "parse_filter",
    "parse_worker_filter",
]
