"""A thin, typed gRPC client for any server that speaks Temporal's public API.

    client = WorkflowServiceClient("127.0.0.1:7233")
    answer = await client.list_workflow_executions(ListWorkflowExecutionsRequest(page_size=50))

Each attribute in snake case is one RPC of ``temporal.api.workflowservice.v1``: it takes the request message
and answers the response message. What has no attribute, and ``OperatorService``, goes through ``call``:

    answer = await client.call(ListSearchAttributesRequest(), ListSearchAttributesResponse)

Errors, as one small tree (all carry ``code``, ``message`` and the typed ``detail`` that the server sent):

    RpcError
    ├── Unreachable           nothing answers at the address, or the connection broke
    ├── DeadlinePassed        no answer within the call's time
    ├── BadRequest            INVALID_ARGUMENT: the request is wrong whatever the state
    ├── NotFound              ── NamespaceUnknown
    ├── AlreadyExists
    ├── NotPossibleNow        FAILED_PRECONDITION
    ├── Refused               PERMISSION_DENIED or UNAUTHENTICATED
    └── Unsupported           UNIMPLEMENTED: this server does not have the RPC

``temporalio.client`` is not imported: only the protocol's messages are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Generic, TypeVar, cast, overload

import grpc
import grpc.aio
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from temporalio.api.common.v1 import GrpcStatus
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.workflowservice import v1 as api

from outlive.errors import OutliveError

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)

CALL_SECONDS: Final = 10.0  # deadline of a call that names none: a page or a command gives up after it
ANSWER_BYTES_MAX: Final = 128 * 1024 * 1024  # one answer; the official SDKs accept as much

_SERVICES: Final = {
    "temporal.api.workflowservice.v1": "WorkflowService",
    "temporal.api.operatorservice.v1": "OperatorService",
}
_DETAILS_KEY: Final = "grpc-status-details-bin"


class RpcError(OutliveError):
    """The server answered with a status other than OK, or did not answer."""

    def __init__(self, code: grpc.StatusCode, message: str, detail: Message | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail


class Unreachable(RpcError):
    """Nothing answers at the address, or the connection broke (UNAVAILABLE)."""


class DeadlinePassed(RpcError):
    """No answer came within the call's time (DEADLINE_EXCEEDED)."""


class BadRequest(RpcError):
    """The request is wrong whatever the state (INVALID_ARGUMENT)."""


class NotFound(RpcError):
    """What the request names does not exist, or no longer does (NOT_FOUND)."""


class NamespaceUnknown(NotFound):
    """No such namespace (NOT_FOUND with ``NamespaceNotFoundFailure``)."""


class AlreadyExists(RpcError):
    """What the request would create exists (ALREADY_EXISTS)."""


class NotPossibleNow(RpcError):
    """The state does not allow it now (FAILED_PRECONDITION)."""


class Refused(RpcError):
    """The caller may not do this (PERMISSION_DENIED, UNAUTHENTICATED)."""


class Unsupported(RpcError):
    """This server does not have the RPC (UNIMPLEMENTED)."""


_ERRORS: Final[dict[grpc.StatusCode, type[RpcError]]] = {
    grpc.StatusCode.UNAVAILABLE: Unreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlinePassed,
    grpc.StatusCode.INVALID_ARGUMENT: BadRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: NotPossibleNow,
    grpc.StatusCode.PERMISSION_DENIED: Refused,
    grpc.StatusCode.UNAUTHENTICATED: Refused,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
}


def decode_error(error: grpc.aio.AioRpcError) -> RpcError:
    """The error as one of ours; its detail comes from the ``google.rpc.Status`` in the trailing metadata."""
    detail = None
    trailing = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    for key, value in trailing:
        if key == _DETAILS_KEY and isinstance(value, bytes):
            detail = _first_detail(value)
    code = error.code()
    kind = NamespaceUnknown if isinstance(detail, NamespaceNotFoundFailure) else _ERRORS.get(code, RpcError)
    return kind(code, error.details() or code.name, detail)


def _first_detail(status: bytes) -> Message | None:
    """The first detail of an encoded ``google.rpc.Status``, or None where its type is not known here.

    ``GrpcStatus`` of the API has the fields of ``google.rpc.Status``, whose class is not always installed.
    """
    try:
        details = GrpcStatus.FromString(status).details
        if not details:
            return None
        found = descriptor_pool.Default().FindMessageTypeByName(details[0].TypeName())
        return message_factory.GetMessageClass(found).FromString(details[0].value)
    except (DecodeError, KeyError):
        return None


class _Channel:
    """One lazily opened connection and the one way to make a call on it."""

    def __init__(
        self,
        address: str,
        namespace: str = "default",
        *,
        credentials: grpc.ChannelCredentials | None = None,
        api_key: str | None = None,
    ) -> None:
        """``namespace`` is filled into requests that name none. ``credentials`` switches TLS on."""
        self.address = address
        self.namespace = namespace
        self._credentials = credentials
        self._metadata = (("authorization", f"Bearer {api_key}"),) if api_key else ()
        self._channel: grpc.aio.Channel | None = None
        self._methods: dict[type[Message], Callable[..., Awaitable[Any]]] = {}

    async def call(self, request: Message, response: type[Res], *, timeout: float = CALL_SECONDS) -> Res:
        """Make the RPC that the request's class belongs to. ``timeout`` is in seconds; raises RpcError."""
        fields = request.DESCRIPTOR.fields_by_name
        if "namespace" in fields and not request.namespace:  # type: ignore[attr-defined]
            named = type(request)(namespace=self.namespace)
            named.MergeFrom(request)
            request = named
        method = self._methods.get(type(request)) or self._method(type(request), response)
        try:
            return cast(Res, await method(request, timeout=timeout, metadata=self._metadata))
        except grpc.aio.AioRpcError as error:
            raise decode_error(error) from None

    def _method(self, request: type[Message], response: type[Res]) -> Callable[..., Awaitable[Any]]:
        """The callable for ``temporal.api.workflowservice.v1.XRequest``: ``.../WorkflowService/X``."""
        package, _, name = request.DESCRIPTOR.full_name.rpartition(".")
        service = _SERVICES[package]
        method = self._open().unary_unary(
            f"/{package}.{service}/{name.removesuffix('Request')}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        self._methods[request] = method
        return method

    def _open(self) -> grpc.aio.Channel:
        if self._channel is None:
            options = [("grpc.max_receive_message_length", ANSWER_BYTES_MAX)]
            self._channel = (
                grpc.aio.secure_channel(self.address, self._credentials, options=options)
                if self._credentials
                else grpc.aio.insecure_channel(self.address, options=options)
            )
        return self._channel

    async def close(self) -> None:
        """Close the connection; calls under way end with :class:`RpcError`. A later call opens a new one."""
        channel, self._channel = self._channel, None
        self._methods.clear()
        if channel is not None:
            await channel.close(grace=None)


class _Rpc(Generic[Req, Res]):
    """One RPC as a method: ``await client.method(request, timeout=seconds)``."""

    def __init__(self, request: type[Req], response: type[Res]) -> None:
        self.request = request
        self.response = response

    @overload
    def __get__(self, client: None, owner: type[_Channel]) -> _Rpc[Req, Res]: ...

    @overload
    def __get__(self, client: _Channel, owner: type[_Channel]) -> BoundRpc[Req, Res]: ...

    def __get__(self, client: _Channel | None, owner: type[_Channel]) -> _Rpc[Req, Res] | BoundRpc[Req, Res]:
        return self if client is None else BoundRpc(client, self.response)


class BoundRpc(Generic[Req, Res]):
    """An RPC of one client, ready to be awaited."""

    __slots__ = ("_client", "_response")

    def __init__(self, client: _Channel, response: type[Res]) -> None:
        self._client = client
        self._response = response

    async def __call__(self, request: Req, *, timeout: float = CALL_SECONDS) -> Res:
        """Make the call; ``timeout`` is in seconds. Raises :class:`RpcError`."""
        return await self._client.call(request, self._response, timeout=timeout)


class WorkflowServiceClient(_Channel):
    """The RPCs of ``WorkflowService`` that pages and commands make; :meth:`call` makes any other.

    One connection, opened by the first call, in whose event loop it then stays.
    """

    # System and namespaces
    get_system_info = _Rpc(api.GetSystemInfoRequest, api.GetSystemInfoResponse)
    get_cluster_info = _Rpc(api.GetClusterInfoRequest, api.GetClusterInfoResponse)
    list_namespaces = _Rpc(api.ListNamespacesRequest, api.ListNamespacesResponse)
    describe_namespace = _Rpc(api.DescribeNamespaceRequest, api.DescribeNamespaceResponse)
    register_namespace = _Rpc(api.RegisterNamespaceRequest, api.RegisterNamespaceResponse)
    update_namespace = _Rpc(api.UpdateNamespaceRequest, api.UpdateNamespaceResponse)
    get_search_attributes = _Rpc(api.GetSearchAttributesRequest, api.GetSearchAttributesResponse)

    # Workflows: look
    list_workflow_executions = _Rpc(api.ListWorkflowExecutionsRequest, api.ListWorkflowExecutionsResponse)
    count_workflow_executions = _Rpc(api.CountWorkflowExecutionsRequest, api.CountWorkflowExecutionsResponse)
    describe_workflow_execution = _Rpc(api.DescribeWorkflowExecutionRequest, api.DescribeWorkflowExecutionResponse)
    get_workflow_execution_history = _Rpc(
        api.GetWorkflowExecutionHistoryRequest, api.GetWorkflowExecutionHistoryResponse
    )
    get_workflow_execution_history_reverse = _Rpc(
        api.GetWorkflowExecutionHistoryReverseRequest, api.GetWorkflowExecutionHistoryReverseResponse
    )
    query_workflow = _Rpc(api.QueryWorkflowRequest, api.QueryWorkflowResponse)

    # Workflows: act
    start_workflow_execution = _Rpc(api.StartWorkflowExecutionRequest, api.StartWorkflowExecutionResponse)
    signal_workflow_execution = _Rpc(api.SignalWorkflowExecutionRequest, api.SignalWorkflowExecutionResponse)
    signal_with_start_workflow_execution = _Rpc(
        api.SignalWithStartWorkflowExecutionRequest, api.SignalWithStartWorkflowExecutionResponse
    )
    update_workflow_execution = _Rpc(api.UpdateWorkflowExecutionRequest, api.UpdateWorkflowExecutionResponse)
    poll_workflow_execution_update = _Rpc(
        api.PollWorkflowExecutionUpdateRequest, api.PollWorkflowExecutionUpdateResponse
    )
    request_cancel_workflow_execution = _Rpc(
        api.RequestCancelWorkflowExecutionRequest, api.RequestCancelWorkflowExecutionResponse
    )
    terminate_workflow_execution = _Rpc(api.TerminateWorkflowExecutionRequest, api.TerminateWorkflowExecutionResponse)
    reset_workflow_execution = _Rpc(api.ResetWorkflowExecutionRequest, api.ResetWorkflowExecutionResponse)
    delete_workflow_execution = _Rpc(api.DeleteWorkflowExecutionRequest, api.DeleteWorkflowExecutionResponse)
    pause_workflow_execution = _Rpc(api.PauseWorkflowExecutionRequest, api.PauseWorkflowExecutionResponse)
    unpause_workflow_execution = _Rpc(api.UnpauseWorkflowExecutionRequest, api.UnpauseWorkflowExecutionResponse)
    update_workflow_execution_options = _Rpc(
        api.UpdateWorkflowExecutionOptionsRequest, api.UpdateWorkflowExecutionOptionsResponse
    )
    execute_multi_operation = _Rpc(api.ExecuteMultiOperationRequest, api.ExecuteMultiOperationResponse)

    # Activities of a workflow
    respond_activity_task_completed_by_id = _Rpc(
        api.RespondActivityTaskCompletedByIdRequest, api.RespondActivityTaskCompletedByIdResponse
    )
    respond_activity_task_failed_by_id = _Rpc(
        api.RespondActivityTaskFailedByIdRequest, api.RespondActivityTaskFailedByIdResponse
    )
    respond_activity_task_canceled_by_id = _Rpc(
        api.RespondActivityTaskCanceledByIdRequest, api.RespondActivityTaskCanceledByIdResponse
    )
    record_activity_task_heartbeat_by_id = _Rpc(
        api.RecordActivityTaskHeartbeatByIdRequest, api.RecordActivityTaskHeartbeatByIdResponse
    )
    pause_activity = _Rpc(api.PauseActivityRequest, api.PauseActivityResponse)
    unpause_activity = _Rpc(api.UnpauseActivityRequest, api.UnpauseActivityResponse)
    reset_activity = _Rpc(api.ResetActivityRequest, api.ResetActivityResponse)
    update_activity_options = _Rpc(api.UpdateActivityOptionsRequest, api.UpdateActivityOptionsResponse)

    # Schedules
    create_schedule = _Rpc(api.CreateScheduleRequest, api.CreateScheduleResponse)
    describe_schedule = _Rpc(api.DescribeScheduleRequest, api.DescribeScheduleResponse)
    update_schedule = _Rpc(api.UpdateScheduleRequest, api.UpdateScheduleResponse)
    patch_schedule = _Rpc(api.PatchScheduleRequest, api.PatchScheduleResponse)
    delete_schedule = _Rpc(api.DeleteScheduleRequest, api.DeleteScheduleResponse)
    list_schedules = _Rpc(api.ListSchedulesRequest, api.ListSchedulesResponse)
    count_schedules = _Rpc(api.CountSchedulesRequest, api.CountSchedulesResponse)
    list_schedule_matching_times = _Rpc(api.ListScheduleMatchingTimesRequest, api.ListScheduleMatchingTimesResponse)

    # Batches
    start_batch_operation = _Rpc(api.StartBatchOperationRequest, api.StartBatchOperationResponse)
    stop_batch_operation = _Rpc(api.StopBatchOperationRequest, api.StopBatchOperationResponse)
    describe_batch_operation = _Rpc(api.DescribeBatchOperationRequest, api.DescribeBatchOperationResponse)
    list_batch_operations = _Rpc(api.ListBatchOperationsRequest, api.ListBatchOperationsResponse)

    # Task queues, workers, deployments
    describe_task_queue = _Rpc(api.DescribeTaskQueueRequest, api.DescribeTaskQueueResponse)
    update_task_queue_config = _Rpc(api.UpdateTaskQueueConfigRequest, api.UpdateTaskQueueConfigResponse)
    list_workers = _Rpc(api.ListWorkersRequest, api.ListWorkersResponse)
    describe_worker = _Rpc(api.DescribeWorkerRequest, api.DescribeWorkerResponse)
    list_worker_deployments = _Rpc(api.ListWorkerDeploymentsRequest, api.ListWorkerDeploymentsResponse)
    describe_worker_deployment = _Rpc(api.DescribeWorkerDeploymentRequest, api.DescribeWorkerDeploymentResponse)
    describe_worker_deployment_version = _Rpc(
        api.DescribeWorkerDeploymentVersionRequest, api.DescribeWorkerDeploymentVersionResponse
    )
    set_worker_deployment_current_version = _Rpc(
        api.SetWorkerDeploymentCurrentVersionRequest, api.SetWorkerDeploymentCurrentVersionResponse
    )
    set_worker_deployment_ramping_version = _Rpc(
        api.SetWorkerDeploymentRampingVersionRequest, api.SetWorkerDeploymentRampingVersionResponse
    )
