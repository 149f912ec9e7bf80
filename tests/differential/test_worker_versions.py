"""Worker versioning, told as stories that both servers must see the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.differential.conftest import Address
from tests.differential.version_puppet import AUTO, PINNED, Puppet
from tests.servers import connected

pytestmark = pytest.mark.timeout(180)
Story = Callable[[Puppet], Awaitable[None]]


async def deployments(p: Puppet) -> None:
    """The life of a deployment: what each request answers, and what is described after it."""
    name = p.deployment
    await p.outcome("create", "CreateWorkerDeployment", deployment_name=name, request_id="r", identity="me")
    await p.outcome("again", "CreateWorkerDeployment", deployment_name=name, request_id="s", identity="me")
    version = p.version("c1")
    await p.outcome("version", "CreateWorkerDeploymentVersion", deployment_version=version, request_id="r")
    await p.outcome("version again", "CreateWorkerDeploymentVersion", deployment_version=version, request_id="s")
    await p.describe("created", "c1")
    await p.outcome("delete version", "DeleteWorkerDeploymentVersion", deployment_version=version, identity="me")
    await p.register("b1", "b2")
    await p.describe("registered", "b1", "b2")

    async def current(label: str, build: str, identity: str = "me", **more: str) -> None:
        rpc = "SetWorkerDeploymentCurrentVersion"
        await p.accepted(label, rpc, deployment_name=name, build_id=build, identity=identity, **more)

    async def ramping(label: str, build: str, percentage: float, identity: str = "me") -> None:
        rpc = "SetWorkerDeploymentRampingVersion"
        await p.accepted(label, rpc, deployment_name=name, build_id=build, percentage=percentage, identity=identity)

    await current("current", "b1")
    await current("current again", "b1")
    await current("current by another", "b1", "you")
    await current("unknown", "b9")
    await current("wrong token", "b2", conflict_token="AAAA")
    await p.describe("current", "b1", "b2")
    await ramping("ramping", "b2", 20)
    await ramping("more", "b2", 30)
    await ramping("the current one", "b1", 30)
    await p.describe("ramping", "b1", "b2")
    await ramping("no more", "", 0)
    await ramping("to unversioned", "", 40)
    await p.describe("ramping to unversioned", "b1", "b2")
    await current("the other", "b2")
    await p.describe("the other", "b1", "b2")
    rpc = "SetWorkerDeploymentManager"
    await p.outcome("manager", rpc, deployment_name=name, manager_identity="boss", identity="me")
    await p.outcome("self", rpc, deployment_name=name, self=True, identity="you")
    await current("stranger", "b1", "stranger")
    await ramping("stranger ramps", "b1", 3, "stranger")
    await p.outcome("no manager", rpc, deployment_name=name, identity="me")
    rpc = "DeleteWorkerDeploymentVersion"
    await p.outcome("delete current", rpc, deployment_version=p.version("b2"), identity="me")
    await p.outcome("delete draining", rpc, deployment_version=p.version("b1"), identity="me")
    await p.outcome("delete polled", rpc, deployment_version=p.version("b1"), identity="me", skip_drainage=True)
    await p.outcome("delete unknown", rpc, deployment_version=p.version("b9"), identity="me")
    await p.outcome("delete all", "DeleteWorkerDeployment", deployment_name=name, identity="me")


async def pinned(p: Puppet) -> None:
    """A pinned run over changes of the routing, continue-as-new in both ways, its children and retries."""
    await p.register("b1", "b2")
    await p.set_current("b2")
    await p.start("pinned")
    await p.step("b2", PINNED, p.activity())
    await p.set_current("b1")
    p.note("activity on b1", bool(await p.poll("b1", seconds=3, activities=True)))
    p.note("activity on b2", bool(await p.poll("b2", activities=True)))
    await p.signal("pinned")
    await p.step("b2", PINNED, p.continue_as_new())
    await p.run_info("pinned", "continued")
    await p.step("b2", PINNED, p.continue_as_new(initialVersioningBehavior=2))
    await p.run_info("pinned", "continued to the ramping version, of which there is none")
    await p.history("pinned")
    await p.step("b1", PINNED, p.child("child"))
    await p.started("child")
    await p.terminate("pinned")
    await p.start("retried", retry_policy={"initialInterval": "1s", "maximumAttempts": 3})
    await p.step("b1", PINNED, p.fail())
    await p.run_info("retried", "retried")
    await p.history("retried")


async def auto_upgrade(p: Puppet) -> None:
    """Moves by workflow task, by activity, and by an update; a move that fails and is rolled back."""
    await p.register("b1", "b2")
    await p.start("moves")
    await p.step("", "", p.activity())
    await p.run_info("moves", "unversioned")
    await p.set_current("b1")
    activity = asyncio.create_task(p.poll("b1", activities=True))
    task = await p.poll("b1")
    await p.run_info("moves", "because its activity would start")
    await p.complete(task, "b1", AUTO)
    p.note("the activity comes after the move", bool(await activity))
    await p.run_info("moves", "moved")
    await p.set_current("b2")
    await p.signal("moves")
    await p.fail_task("b2")
    await p.run_info("moves", "failed to move")
    await p.set_current("b1")
    p.note("task on b2", bool(await p.poll("b2", seconds=3)))
    await p.step("b1", AUTO, p.child("child"))
    await p.run_info("moves", "rolled back")
    await p.started("child")
    await p.terminate("moves")
    await p.start("continues")
    await p.step("b1", AUTO, p.continue_as_new())
    await p.run_info("continues", "continued")
    await p.step("b1", AUTO)
    await p.history("continues")


async def overrides(p: Puppet) -> None:
    """Overrides from the start, in every spelling."""
    await p.register("b1", "b2")
    await p.set_current("b1")
    for name, override in (
        ("pinned", p.pinned("b2")),
        ("old", {"behavior": PINNED, "pinnedVersion": f"{p.deployment}.b2"}),
        ("once", {"oneTime": {"targetDeploymentVersion": p.version("b2")}}),
    ):
        await p.start(name, versioning_override=override)
        await p.run_info(name, "started")
        await p.step("b2", AUTO)
        await p.run_info(name, "completed")
        await p.history(name)
    await p.start("upgrade", versioning_override={"autoUpgrade": True})
    await p.step("b1", PINNED)
    await p.run_info("upgrade", "completed")
    await p.outcome(
        "unknown",
        "StartWorkflowExecution",
        workflow_id=p.workflow("unknown"),
        workflow_type={"name": "W"},
        task_queue={"name": p.queue},
        request_id="r",
        versioning_override=p.pinned("b9"),
    )
    await p.start("parent")
    unknown, known = p.child("c9", versioningOverride=p.pinned("b9")), p.child("c2", versioningOverride=p.pinned("b2"))
    await p.step("b1", PINNED, unknown, known)
    p.note("child on b2", bool(await p.poll("b2")))
    await p.history("c2")


async def sticky(p: Puppet) -> None:
    """Pinned runs stay with the worker that has them cached; others leave it to move."""
    await p.register("b1", "b2")
    await p.set_current("b1")
    for name, behavior in (("stays", PINNED), ("leaves", AUTO)):
        await p.start(name)
        await p.step("b1", behavior, **p.sticky())
    await p.poll("b1", seconds=3, sticky=p.workflow("sticky"))
    await p.set_current("b2")
    await p.poll("b1", seconds=3, sticky=p.workflow("sticky"))
    await p.signal("stays")
    await p.signal("leaves")
    task = await p.poll("b1", sticky=p.workflow("sticky"))
    p.note("cached", task.workflow_execution.workflow_id)
    await p.complete(task, "b1", PINNED)
    task = await p.poll("b2")
    p.note("moved", task.workflow_execution.workflow_id)
    await p.complete(task, "b2", AUTO)
    await p.history("stays")
    await p.history("leaves")


STORIES: dict[str, Story] = {story.__name__: story for story in (deployments, pinned, auto_upgrade, overrides, sticky)}


@pytest.mark.parametrize("name", STORIES)
async def test_both_servers_tell_the_same_story(name: str, temporal: Address, outlive: Address) -> None:
    async def told(address: Address) -> list[tuple[str, object]]:
        puppet = Puppet(await connected(address.grpc))
        await STORIES[name](puppet)
        return puppet.seen

    there, here = await asyncio.gather(told(temporal), told(outlive))
    assert [what for what, _ in here] == [what for what, _ in there]
    for (what, ours), (_, theirs) in zip(here, there, strict=True):
        assert ours == theirs, what
