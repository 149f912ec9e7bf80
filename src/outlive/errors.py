"""The errors of outlive, as one small tree.

    OutliveError
    ├── ServiceError          answered to a caller: a gRPC code, words, and the detail type clients branch on
    │   ├── InvalidArgument   ── QueryFailed
    │   ├── NotFound          ── NamespaceNotFound
    │   ├── AlreadyExists     ── WorkflowAlreadyStarted
    │   ├── FailedPrecondition── WorkflowNotReady
    │   ├── MultiOperationFailed  ── the code of the operation that failed
    │   ├── ResourceExhausted, PermissionDenied, Unavailable, Aborted, Unimplemented, DeadlineExceeded
    │   └── Internal          a fault of ours: nothing a caller does should reach it
    ├── StartupError          the server cannot start; its words are for the person at the terminal
    └── StorageFailed         a commit failed: the server must stop rather than run ahead of its disk

The detail messages are those of ``temporal.api.errordetails.v1``: SDKs read the first one.
"""

from __future__ import annotations

import enum

from google.protobuf.message import Message
from temporalio.api.enums.v1 import ResourceExhaustedCause, ResourceExhaustedScope
from temporalio.api.errordetails.v1 import (
    MultiOperationExecutionFailure,
    NamespaceNotFoundFailure,
    NotFoundFailure,
    PermissionDeniedFailure,
    QueryFailedFailure,
    ResourceExhaustedFailure,
    WorkflowExecutionAlreadyStartedFailure,
    WorkflowNotReadyFailure,
)
from temporalio.api.failure.v1 import Failure, MultiOperationExecutionAborted

# those that need no protocol have a module of their own: the ledger and its clients load nothing else
from outlive.base_errors import OutliveError as OutliveError
from outlive.base_errors import StartupError as StartupError
from outlive.base_errors import StorageFailed as StorageFailed


class Code(enum.IntEnum):
    """gRPC status codes by number (``google.rpc.Code``), so that no layer below the API imports grpc."""

    CANCELLED = 1
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class ServiceError(OutliveError):
    """An answer other than OK: a status code, a message, and the detail that clients read."""

    code: Code = Code.INTERNAL

    def __init__(self, message: str, detail: Message | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class InvalidArgument(ServiceError):
    """The request is wrong whatever the state. Carries no detail message, as in the protocol."""

    code = Code.INVALID_ARGUMENT


class QueryFailed(InvalidArgument):
    """The worker's query handler failed."""

    def __init__(self, message: str, failure: Failure | None) -> None:
        super().__init__(message, QueryFailedFailure(failure=failure))


class NotFound(ServiceError):
    """What the request names does not exist, or no longer does."""

    code = Code.NOT_FOUND

    def __init__(self, message: str, detail: Message | None = None) -> None:
        super().__init__(message, detail if detail is not None else NotFoundFailure())


class NamespaceNotFound(NotFound):
    """No such namespace."""

    def __init__(self, namespace: str) -> None:
        super().__init__(f"Namespace {namespace} is not found.", NamespaceNotFoundFailure(namespace=namespace))


class AlreadyExists(ServiceError):
    """What the request would create exists."""

    code = Code.ALREADY_EXISTS


class WorkflowAlreadyStarted(AlreadyExists):
    """A workflow with this id runs, or closed and its id may not be used again."""

    def __init__(self, message: str, *, start_request_id: str, run_id: str, first_run_id: str) -> None:
        super().__init__(
            message,
            WorkflowExecutionAlreadyStartedFailure(
                start_request_id=start_request_id, run_id=run_id, first_execution_run_id=first_run_id
            ),
        )


class FailedPrecondition(ServiceError):
    """The state does not allow it now."""

    code = Code.FAILED_PRECONDITION


class WorkflowNotReady(FailedPrecondition):
    """The workflow cannot answer now, for example because its workflow task keeps failing."""

    def __init__(self, message: str) -> None:
        super().__init__(message, WorkflowNotReadyFailure())


class ResourceExhausted(ServiceError):
    """A limit is reached; clients slow down and try again."""

    code = Code.RESOURCE_EXHAUSTED

    def __init__(
        self,
        message: str,
        cause: ResourceExhaustedCause.ValueType,
        scope: ResourceExhaustedScope.ValueType = ResourceExhaustedScope.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE,
    ) -> None:
        super().__init__(message, ResourceExhaustedFailure(cause=cause, scope=scope))


class PermissionDenied(ServiceError):
    """Refused by rule."""

    code = Code.PERMISSION_DENIED

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message, PermissionDeniedFailure(reason=reason))


class Aborted(ServiceError):
    """Given up because of something that happened beside it."""

    code = Code.ABORTED


class MultiOperationFailed(ServiceError):
    """One operation of several failed, and the others were given up with it.

    `failed` is the place of the one that `cause` is of, among `count`.
    """

    def __init__(self, cause: ServiceError, failed: int, count: int) -> None:
        failure = MultiOperationExecutionFailure()
        for place in range(count):
            if place == failed:
                status = failure.statuses.add(code=int(cause.code), message=cause.message)
                if cause.detail is not None:
                    status.details.add().Pack(cause.detail)
            else:
                status = failure.statuses.add(code=int(Code.ABORTED), message="Operation was aborted.")
                status.details.add().Pack(MultiOperationExecutionAborted())
        super().__init__("Update-with-Start could not be executed.", failure)
        self.code = cause.code


class Unavailable(ServiceError):
    """Try again."""

    code = Code.UNAVAILABLE


class Unimplemented(ServiceError):
    """Not built, or switched off."""

    code = Code.UNIMPLEMENTED


class DeadlineExceeded(ServiceError):
    """The caller's time ran out first."""

    code = Code.DEADLINE_EXCEEDED


class Internal(ServiceError):
    """A fault of the server's own."""
