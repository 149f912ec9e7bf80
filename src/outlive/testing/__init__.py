"""Testing workflows: servers and environments for tests, a pytest plug-in, and pretended model providers.

    from outlive.testing import environment, time_skipping_environment

    async with time_skipping_environment() as env:      # a server in memory, inside this process
        async with Worker(env.client, task_queue="q", workflows=[Subscription]):
            await env.client.execute_workflow(Subscription.run, id="s", task_queue="q")

Both yield the SDK's own `temporalio.testing.WorkflowEnvironment`, so what a test does with one it does on any
other server too. `ServerThread` and `ServerProcess` are servers alone, with plain `with` or `async with`.

In pytest the fixtures `outlive_client`, `outlive_env`, `outlive_time_skipping_env` and `outlive_server` are there
once this package is installed (outlive.pytest_plugin).

What speaks as OpenAI and Anthropic do, from a script, is in `outlive.testing.providers`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlive.testing.environments import connected_client, environment, time_skipping_environment
    from outlive.testing.servers import RunningServer, ServerProcess, ServerThread
    from outlive.testing.time_skipping import TimeSkippingEnvironment

__all__ = [
    "RunningServer",
    "ServerProcess",
    "ServerThread",
    "TimeSkippingEnvironment",
    "connected_client",
    "environment",
    "time_skipping_environment",
]

_MODULES = {
    "RunningServer": "servers",
    "ServerProcess": "servers",
    "ServerThread": "servers",
    "TimeSkippingEnvironment": "time_skipping",
    "connected_client": "environments",
    "environment": "environments",
    "time_skipping_environment": "environments",
}


def __getattr__(name: str) -> Any:
    """What is imported from here is loaded then: a server alone needs no SDK, a provider neither."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
