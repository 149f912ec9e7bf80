"""What these pages are connected to, and whether it answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from temporalio.api.workflowservice.v1 import GetClusterInfoRequest, GetSystemInfoRequest

from outlive import __version__
from outlive.client import RpcError, WorkflowServiceClient
from outlive.ledger.errors import LedgerError
from outlive.ledger.interface import Ledger


@dataclass(frozen=True, slots=True)
class Service:
    """One thing that is asked. ``milliseconds`` is how long it took to answer, ``problem`` why it did not."""

    name: str
    address: str
    milliseconds: float | None
    problem: str
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class SettingsView:
    """The page."""

    version: str
    services: list[Service]
    capabilities: dict[str, bool]


async def load(client: WorkflowServiceClient, ledger: Ledger | None) -> SettingsView:
    """Ask both; what does not answer is a line of the page."""
    (server, capabilities), book = await asyncio.gather(_server(client), _ledger(ledger))
    return SettingsView(__version__, [server, book], capabilities)


async def _server(client: WorkflowServiceClient) -> tuple[Service, dict[str, bool]]:
    began = time.perf_counter()
    try:
        system = await client.get_system_info(GetSystemInfoRequest())
        took = (time.perf_counter() - began) * 1000
        cluster = await client.get_cluster_info(GetClusterInfoRequest())
    except RpcError as error:
        return Service("Server", client.address, None, error.message, {}), {}
    facts = {
        "Version": system.server_version,
        "Cluster": cluster.cluster_name,
        "Stored in": cluster.persistence_store,
        "Lists in": cluster.visibility_store,
    }
    can = {
        field.name: bool(getattr(system.capabilities, field.name)) for field in system.capabilities.DESCRIPTOR.fields
    }
    return Service("Server", client.address, took, "", {name: text for name, text in facts.items() if text}), can


async def _ledger(ledger: Ledger | None) -> Service:
    if ledger is None:
        return Service("Ledger", "", None, "There is none: model calls, costs and approvals are not shown.", {})
    address = str(getattr(ledger, "address", ""))
    began = time.perf_counter()
    try:
        waiting = await ledger.waiting()
    except LedgerError as error:
        return Service("Ledger", address, None, error.message, {})
    took = (time.perf_counter() - began) * 1000
    return Service("Ledger", address, took, "", {"Calls that wait": str(len(waiting))})
