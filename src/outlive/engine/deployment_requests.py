"""What clients ask of worker deployments."""

from __future__ import annotations

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.workflowservice.v1 import (
    CreateWorkerDeploymentRequest,
    CreateWorkerDeploymentResponse,
    CreateWorkerDeploymentVersionRequest,
    CreateWorkerDeploymentVersionResponse,
    DeleteWorkerDeploymentRequest,
    DeleteWorkerDeploymentResponse,
    DeleteWorkerDeploymentVersionRequest,
    DeleteWorkerDeploymentVersionResponse,
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentResponse,
    DescribeWorkerDeploymentVersionRequest,
    DescribeWorkerDeploymentVersionResponse,
    ListWorkerDeploymentsRequest,
    ListWorkerDeploymentsResponse,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentCurrentVersionResponse,
    SetWorkerDeploymentManagerRequest,
    SetWorkerDeploymentManagerResponse,
    SetWorkerDeploymentRampingVersionRequest,
    SetWorkerDeploymentRampingVersionResponse,
    UpdateWorkerDeploymentVersionComputeConfigRequest,
    UpdateWorkerDeploymentVersionComputeConfigResponse,
    UpdateWorkerDeploymentVersionMetadataRequest,
    UpdateWorkerDeploymentVersionMetadataResponse,
    ValidateWorkerDeploymentVersionComputeConfigRequest,
    ValidateWorkerDeploymentVersionComputeConfigResponse,
)

from outlive.core.deployments import changes, views
from outlive.core.deployments.changes import Change
from outlive.core.deployments.state import CREATED, Deployment, Queue, Version
from outlive.core.version_names import VersionName, dotted, named, required, routed
from outlive.engine.calls import Call
from outlive.engine.deployments import Deployments
from outlive.engine.matching import Matching, QueueName
from outlive.engine.namespaces import Namespace
from outlive.engine.queue_stats import stats_message, total
from outlive.errors import AlreadyExists, InvalidArgument, NotFound
from outlive.limits import PAGE_SIZE_MAX

VersionTaskQueue = DescribeWorkerDeploymentVersionResponse.VersionTaskQueue
Routed = SetWorkerDeploymentCurrentVersionRequest | SetWorkerDeploymentRampingVersionRequest
NO_CONFIG = (
    "No prior compute config found, which means nothing can be removed and something needs to be added to be valid"
)


class DeploymentRequests:
    """The RPCs of worker deployments."""

    def __init__(self, deployments: Deployments, matching: Matching) -> None:
        self._deployments = deployments
        self._matching = matching

    def _require(self, namespace: Namespace, name: str) -> Deployment:
        deployment = self._deployments.of(namespace.id).get(name)
        if deployment is None:
            raise changes.not_found(name)
        return deployment

    async def _keep(self, namespace: Namespace, before: Deployment | None, after: Deployment) -> Deployment:
        if after is not before:
            await self._deployments.put(namespace.id, after)
        return after

    # -- creating

    async def create_worker_deployment(
        self, namespace: Namespace, request: CreateWorkerDeploymentRequest, call: Call
    ) -> CreateWorkerDeploymentResponse:
        name = request.deployment_name
        known = self._deployments.of(namespace.id).get(name)
        if known is not None:
            if not request.request_id or known.create_request_id != request.request_id:
                raise AlreadyExists(f'Worker Deployment with name "{name}" already exists')
            return CreateWorkerDeploymentResponse(conflict_token=_token(known))
        fresh = self._deployments.fresh(namespace.id, name)
        made = Deployment(name, fresh.created, fresh.token, request.request_id, request.identity)
        await self._keep(namespace, None, made)
        return CreateWorkerDeploymentResponse(conflict_token=_token(made))

    async def create_worker_deployment_version(
        self, namespace: Namespace, request: CreateWorkerDeploymentVersionRequest, call: Call
    ) -> CreateWorkerDeploymentVersionResponse:
        name = request.deployment_version
        deployment = self._require(namespace, name.deployment_name)
        facts = self._deployments.facts(namespace.id, name.deployment_name)
        version = Version(name.build_id, facts.now, CREATED, request.request_id, modifier=request.identity)
        after = changes.create_version(deployment, version, facts)
        await self._keep(namespace, deployment, after)
        return CreateWorkerDeploymentVersionResponse()

    # -- looking

    async def describe_worker_deployment(
        self, namespace: Namespace, request: DescribeWorkerDeploymentRequest, call: Call
    ) -> DescribeWorkerDeploymentResponse:
        deployment = self._require(namespace, request.deployment_name)
        return DescribeWorkerDeploymentResponse(
            conflict_token=_token(deployment), worker_deployment_info=views.info(deployment)
        )

    async def describe_worker_deployment_version(
        self, namespace: Namespace, request: DescribeWorkerDeploymentVersionRequest, call: Call
    ) -> DescribeWorkerDeploymentVersionResponse:
        name = required(request.version, request.deployment_version)
        deployment = self._deployments.of(namespace.id).get(name.deployment)
        version = deployment.versions.get(name.build_id) if deployment is not None else None
        if deployment is None or version is None:
            raise NotFound("Worker Deployment Version not found")
        return DescribeWorkerDeploymentVersionResponse(
            worker_deployment_version_info=views.version_info(deployment, version),
            version_task_queues=[
                self._task_queue(namespace, name, queue, stats=request.report_task_queue_stats)
                for queue in version.queues
            ],
        )

    def _task_queue(self, namespace: Namespace, name: VersionName, queue: Queue, *, stats: bool) -> VersionTaskQueue:
        result = VersionTaskQueue(name=queue.name, type=TaskQueueType.ValueType(queue.kind))
        if stats:
            levels = self._matching.stats(QueueName(namespace.id, queue.name, queue.activities, str(name)))
            result.stats.CopyFrom(stats_message(total(levels.values())))
            for number, level in levels.items():
                result.stats_by_priority_key[number].CopyFrom(stats_message(level))
        return result

    async def list_worker_deployments(
        self, namespace: Namespace, request: ListWorkerDeploymentsRequest, call: Call
    ) -> ListWorkerDeploymentsResponse:
        """The latest first; a page goes on after the one that its token names."""
        found = sorted(self._deployments.of(namespace.id).values(), key=lambda d: (-d.created, d.name))
        if request.next_page_token:
            created, name = _place(request.next_page_token)
            found = [d for d in found if (-d.created, d.name) > (-created, name)]
        size = request.page_size if 0 < request.page_size <= PAGE_SIZE_MAX else PAGE_SIZE_MAX
        page = found[:size]
        more = len(found) > size
        return ListWorkerDeploymentsResponse(
            worker_deployments=[views.listed(deployment) for deployment in page],
            next_page_token=f"{page[-1].created}:{page[-1].name}".encode() if more else b"",
        )

    # -- routing

    async def set_worker_deployment_current_version(
        self, namespace: Namespace, request: SetWorkerDeploymentCurrentVersionRequest, call: Call
    ) -> SetWorkerDeploymentCurrentVersionResponse:
        name = routed(request.deployment_name, request.version, request.build_id)
        before, known = self._routed(namespace, request)
        facts = self._deployments.facts(namespace.id, before.name)
        after = changes.set_current(before, name.build_id if name else "", _change(request), facts)
        await self._keep(namespace, known, after)
        previous = before.named(before.routing.current)
        return SetWorkerDeploymentCurrentVersionResponse(
            conflict_token=_token(after),
            previous_version=dotted(previous),
            previous_deployment_version=previous.message() if previous else None,
        )

    async def set_worker_deployment_ramping_version(
        self, namespace: Namespace, request: SetWorkerDeploymentRampingVersionRequest, call: Call
    ) -> SetWorkerDeploymentRampingVersionResponse:
        name = routed(request.deployment_name, request.version, request.build_id)
        before, known = self._routed(namespace, request)
        facts = self._deployments.facts(namespace.id, before.name)
        build_id = name.build_id if name is not None else "" if request.percentage else None
        after = changes.set_ramping(before, build_id, request.percentage, _change(request), facts)
        await self._keep(namespace, known, after)
        previous = before.named(before.routing.ramping)
        return SetWorkerDeploymentRampingVersionResponse(
            conflict_token=_token(after),
            previous_version=views.ramping_string(before),
            previous_deployment_version=previous.message() if previous else None,
            previous_percentage=before.routing.ramp,
        )

    def _routed(self, namespace: Namespace, request: Routed) -> tuple[Deployment, Deployment | None]:
        """The deployment whose routing is to change, and the same if it was known before."""
        known = self._deployments.of(namespace.id).get(request.deployment_name)
        if known is None and request.allow_no_pollers:
            return self._deployments.fresh(namespace.id, request.deployment_name), None
        known = self._require(namespace, request.deployment_name)
        return known, known

    async def set_worker_deployment_manager(
        self, namespace: Namespace, request: SetWorkerDeploymentManagerRequest, call: Call
    ) -> SetWorkerDeploymentManagerResponse:
        before = self._managed(namespace, request.deployment_name)
        manager = request.identity if request.self else request.manager_identity
        change = Change(request.identity, _given(request.conflict_token))
        facts = self._deployments.facts(namespace.id, before.name)
        after = changes.set_manager(before, manager, change, facts.now)
        await self._keep(namespace, before, after)
        return SetWorkerDeploymentManagerResponse(
            conflict_token=_token(after), previous_manager_identity=before.manager
        )

    def _managed(self, namespace: Namespace, name: str) -> Deployment:
        """The deployment, in other words where it is missing: the protocol's own server has them."""
        deployment = self._deployments.of(namespace.id).get(name)
        if deployment is None:
            raise NotFound(f"workflow not found for ID: temporal-sys-worker-deployment:{name}")
        return deployment

    # -- versions

    async def delete_worker_deployment_version(
        self, namespace: Namespace, request: DeleteWorkerDeploymentVersionRequest, call: Call
    ) -> DeleteWorkerDeploymentVersionResponse:
        given = named(request.deployment_version)
        name = given if given is not None else required(request.version, request.deployment_version)
        before = self._managed(namespace, name.deployment)
        facts = self._deployments.facts(namespace.id, before.name)
        after = changes.delete_version(
            before, name.build_id, request.identity, facts.polled, skip_drainage=request.skip_drainage
        )
        await self._keep(namespace, before, after)
        return DeleteWorkerDeploymentVersionResponse()

    async def delete_worker_deployment(
        self, namespace: Namespace, request: DeleteWorkerDeploymentRequest, call: Call
    ) -> DeleteWorkerDeploymentResponse:
        deployment = self._deployments.of(namespace.id).get(request.deployment_name)
        if deployment is not None:
            changes.require_deletable(deployment)
            await self._deployments.remove(namespace.id, deployment.name)
        return DeleteWorkerDeploymentResponse()

    async def update_worker_deployment_version_metadata(
        self, namespace: Namespace, request: UpdateWorkerDeploymentVersionMetadataRequest, call: Call
    ) -> UpdateWorkerDeploymentVersionMetadataResponse:
        if request.HasField("deployment_version") or not request.version:
            message = request.deployment_version
            name = VersionName(message.deployment_name, message.build_id)
        else:
            name = required(request.version, request.deployment_version)
        deployment = self._deployments.of(namespace.id).get(name.deployment)
        if deployment is None or name.build_id not in deployment.versions:
            raise NotFound(f"workflow not found for ID: temporal-sys-worker-deployment-version:{name}")
        after = changes.update_metadata(
            deployment, name.build_id, request.upsert_entries, request.remove_entries, request.identity
        )
        await self._keep(namespace, deployment, after)
        return UpdateWorkerDeploymentVersionMetadataResponse(
            metadata=views.version_info(after, after.versions[name.build_id]).metadata
        )

    async def update_worker_deployment_version_compute_config(
        self, namespace: Namespace, request: UpdateWorkerDeploymentVersionComputeConfigRequest, call: Call
    ) -> UpdateWorkerDeploymentVersionComputeConfigResponse:
        """There is never any: no compute provider is built in, so none is accepted."""
        version = request.deployment_version
        name = VersionName(version.deployment_name, version.build_id)
        if self._deployments.version(namespace.id, name) is None:
            raise changes.version_not_found(name)
        if not request.remove_compute_config_scaling_groups:
            raise InvalidArgument(NO_CONFIG)
        return UpdateWorkerDeploymentVersionComputeConfigResponse()

    async def validate_worker_deployment_version_compute_config(
        self, namespace: Namespace, request: ValidateWorkerDeploymentVersionComputeConfigRequest, call: Call
    ) -> ValidateWorkerDeploymentVersionComputeConfigResponse:
        raise InvalidArgument(NO_CONFIG)


def _change(request: Routed) -> Change:
    return Change(
        request.identity,
        _given(request.conflict_token),
        ignore_missing_queues=request.ignore_missing_task_queues,
        allow_no_pollers=request.allow_no_pollers,
    )


def _token(deployment: Deployment) -> bytes:
    return deployment.token.to_bytes(8, "big")


def _given(token: bytes) -> int | None:
    """The conflict token of a request; -1 for one that is none of ours."""
    if not token:
        return None
    return int.from_bytes(token, "big") if len(token) == 8 else -1


def _place(token: bytes) -> tuple[int, str]:
    created, _, name = token.decode(errors="replace").partition(":")
    if not created.isdigit():
        raise InvalidArgument("Invalid NextPageToken.")
    return int(created), name
