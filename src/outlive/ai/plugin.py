"""The plug-in: every model call of a client's workers gets quotas, budgets, a row in the ledger, a cache."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from temporalio.client import ClientConfig
from temporalio.converter import DataConverter, DefaultPayloadConverter
from temporalio.plugin import SimplePlugin
from temporalio.worker import (
    ActivityInboundInterceptor,
    Interceptor,
    WorkerConfig,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

# what workflows use is loaded before the sandbox, which reads no files, looks for it
import outlive.ai.agents  # noqa: F401
from outlive.ai.desk import ActivitySide, Desk
from outlive.ai.saying import Settings
from outlive.ai.workflow_side import interceptor_class

_PASSED = ("outlive", "pydantic", "pydantic_core", "annotated_types", "pydantic_ai", "pydantic_graph")


class AIPlugin(SimplePlugin):
    """Quotas, budgets, ledger and cache for model calls, whoever makes them.

    client = await Client.connect("localhost:7233", plugins=[AIPlugin()])

    The arguments are the fields of `Settings`. Workers of that client take part; so do the agents of Pydantic AI and
    of OpenAI's Agents SDK that run in their workflows, without a change.
    """

    def __init__(self, settings: Settings | None = None, **values: Any) -> None:
        self.settings = replace(settings or Settings(), **values)
        self._converter = DataConverter.default
        self.desk = Desk(self.settings, lambda: self._converter)
        super().__init__(
            "outlive.ai",
            data_converter=_data_converter,
            interceptors=[_Interceptor(self.desk)],
            workflow_runner=_runner,
            run_context=self._running,
        )

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        """See the SDK."""
        config = super().configure_client(config)
        self._converter = config["data_converter"]
        return config

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """See the SDK."""
        from outlive.ai.requests import Requests

        config = super().configure_worker(config)
        self._converter = config["client"].data_converter
        asking = self.desk.approving
        own: list[Callable[..., Any]] = [
            *(self.desk.reserve, self.desk.release, Requests(self.desk).request),
            *(asking.ask, asking.look, asking.cancel),
        ]
        config["activities"] = [*config.get("activities", ()), *own]
        return config

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.desk.close()


class _Interceptor(Interceptor):
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return ActivitySide(next, self._desk)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        return interceptor_class(input)


def _data_converter(converter: DataConverter | None) -> DataConverter:
    """Pydantic's, unless the user or another plug-in has chosen one."""
    from temporalio.contrib.pydantic import PydanticPayloadConverter

    converter = converter or DataConverter.default
    if converter.payload_converter_class is DefaultPayloadConverter:
        return replace(converter, payload_converter_class=PydanticPayloadConverter)
    return converter


def _runner(runner: WorkflowRunner | None) -> WorkflowRunner:
    """Modules that hold no state of a workflow need not be loaded for each one."""
    if isinstance(runner, SandboxedWorkflowRunner):
        return replace(runner, restrictions=runner.restrictions.with_passthrough_modules(*_PASSED))
    return runner or SandboxedWorkflowRunner()
