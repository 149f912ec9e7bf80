from __future__ import annotations

import grpc
import pytest

from outlive import client
from outlive.web.views import problem
from outlive.web.views.problem import Asked

ASKED = Asked("127.0.0.1:7233", "my ns", "it's", "run-1", "/namespaces", "/search")


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (client.Unreachable, grpc.StatusCode.UNAVAILABLE, 503),
        (client.NamespaceUnknown, grpc.StatusCode.NOT_FOUND, 404),
        (client.NotFound, grpc.StatusCode.NOT_FOUND, 404),
        (client.BadRequest, grpc.StatusCode.INVALID_ARGUMENT, 404),
        (client.DeadlinePassed, grpc.StatusCode.DEADLINE_EXCEEDED, 504),
        (client.Refused, grpc.StatusCode.PERMISSION_DENIED, 403),
        (client.Refused, grpc.StatusCode.UNAUTHENTICATED, 401),
        (client.Unsupported, grpc.StatusCode.UNIMPLEMENTED, 501),
        (client.RpcError, grpc.StatusCode.INTERNAL, 502),
    ],
)
def test_each_error_says_what_and_why(kind: type[client.RpcError], code: grpc.StatusCode, status: int) -> None:
    view = problem.of_rpc(kind(code, "the reason"), ASKED)
    assert (view.status, view.why, view.code) == (status, "the reason", code.name)
    assert view.title


def test_commands_are_quoted_for_the_shell() -> None:
    missing = problem.of_rpc(client.NotFound(grpc.StatusCode.NOT_FOUND, "no"), ASKED)
    commands = [step.command for step in missing.steps if step.command]
    assert commands == [
        "temporal workflow describe -w 'it'\"'\"'s' -n 'my ns' --address 127.0.0.1:7233",
    ]
    unknown = problem.of_rpc(client.NamespaceUnknown(grpc.StatusCode.NOT_FOUND, "no"), ASKED)
    assert "namespace create -n 'my ns'" in unknown.steps[1].command


def test_only_an_unreachable_server_reloads_the_page() -> None:
    gone = problem.of_rpc(client.Unreachable(grpc.StatusCode.UNAVAILABLE, "refused"), ASKED)
    assert gone.retry_seconds > 0
    assert "127.0.0.1:7233" in gone.title
    assert problem.of_rpc(client.NotFound(grpc.StatusCode.NOT_FOUND, "no"), ASKED).retry_seconds == 0


def test_a_request_refused_elsewhere_is_a_bad_request() -> None:
    bad = client.BadRequest(grpc.StatusCode.INVALID_ARGUMENT, "no")
    assert problem.of_rpc(bad, Asked("a:1")).status == 400
    assert problem.of_rpc(client.NotFound(grpc.StatusCode.NOT_FOUND, "no"), Asked("a:1")).status == 404


def test_addresses_that_mean_nothing_and_methods_that_do_nothing() -> None:
    assert problem.no_such_page("/x", "/", 404).steps[0].href == "/"
    assert problem.no_such_page("/x", "/", 405).status == 405
    assert problem.fault("KeyError").status == 500
