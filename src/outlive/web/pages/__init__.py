"""The pages, one module each: ``routes(site)`` gives its addresses. docs/web.md shows how one is added."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from outlive.web.pages import (
    approvals,
    batches,
    costs,
    health,
    home,
    namespaces,
    run,
    run_tabs,
    runs,
    schedules,
    task_queues,
    workers,
)

PAGES: Final[tuple[ModuleType, ...]] = (
    approvals,
    batches,
    costs,
    health,
    home,
    namespaces,
    schedules,
    task_queues,
    workers,
    runs,
    run_tabs,
    run,
)
