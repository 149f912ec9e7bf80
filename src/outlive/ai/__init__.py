"""The AI toolkit: model calls in durable workflows, with quotas, budgets, a ledger and a cache. See docs/ai.md.

    from outlive import ai

    client = await Client.connect("localhost:7233", plugins=[ai.AIPlugin()])   # the program
    reply = await ai.generate("Say hello.", model="openai:gpt-5-mini")         # a workflow

It works on any server that speaks Temporal's protocol. Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlive.ai.agents import Tool, activity_tool, agent, workflow_tool
    from outlive.ai.approvals import Decided, approval
    from outlive.ai.errors import (
        AIError,
        BadRequest,
        BudgetExceeded,
        CallImpossible,
        ContentPolicy,
        ContextTooLong,
        LimitReached,
        MalformedAnswer,
        NotAuthorized,
        OutOfCredit,
        ProviderFailed,
        SchemaFailed,
        UnknownPrice,
    )
    from outlive.ai.generating import Reply, ToolCall, generate
    from outlive.ai.plugin import AIPlugin
    from outlive.ai.saying import Options, Settings, options

_HOMES = {
    "outlive.ai.agents": ("Tool", "activity_tool", "agent", "workflow_tool"),
    "outlive.ai.approvals": ("Decided", "approval"),
    "outlive.ai.errors": (
        "AIError", "BadRequest", "BudgetExceeded", "CallImpossible", "ContentPolicy", "ContextTooLong",
        "LimitReached", "MalformedAnswer", "NotAuthorized", "OutOfCredit", "ProviderFailed", "SchemaFailed",
        "UnknownPrice",
    ),
    "outlive.ai.generating": ("Reply", "ToolCall", "generate"),
    "outlive.ai.saying": ("Options", "Settings", "options"),
    "outlive.ai.plugin": ("AIPlugin",),
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value  # no module of the package may have the name of what it exports
    return value


__all__ = [
    "AIError",
    "AIPlugin",
    "BadRequest",
    "BudgetExceeded",
    "CallImpossible",
    "ContentPolicy",
    "ContextTooLong",
    "Decided",
    "LimitReached",
    "MalformedAnswer",
    "NotAuthorized",
    "Options",
    "OutOfCredit",
    "ProviderFailed",
    "Reply",
    "SchemaFailed",
    "Settings",
    "Tool",
    "ToolCall",
    "UnknownPrice",
    "activity_tool",
    "agent",
    "approval",
    "generate",
    "options",
    "workflow_tool",
]
