"""Errors as pages: what failed, why, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

import grpc

from outlive.client import (
    BadRequest,
    DeadlinePassed,
    NamespaceUnknown,
    NotFound,
    Refused,
    RpcError,
    Unreachable,
    Unsupported,
)
from outlive.ledger.errors import LedgerError, LedgerUnreachable


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do next: words, with a command to type, or an address that they lead to, or neither."""

    words: str
    command: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class ProblemView:
    """The page. ``status`` is the HTTP status; ``retry_seconds`` reloads the page by itself where not 0."""

    status: int
    title: str
    why: str
    code: str
    steps: list[Step]
    retry_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page was about, as far as its address says."""

    address: str
    namespace: str = ""
    workflow_id: str = ""
    run_id: str = ""
    namespaces_href: str = ""
    search_href: str = ""


def of_rpc(error: RpcError, asked: Asked) -> ProblemView:
    """The page for an answer other than OK."""
    code = error.code.name
    at = f"--address {quote(asked.address)}"
    match error:
        case Unreachable():
            steps = [
                Step("Start a server, if none runs:", "outlive server start"),
                Step("See whether one answers:", f"temporal operator cluster health {at}"),
            ]
            return ProblemView(503, f"No server answers at {asked.address}", error.message, code, steps, 5)
        case NamespaceUnknown():
            steps = [
                Step("Go to one that exists", href=asked.namespaces_href),
                Step("Or create it:", f"temporal operator namespace create -n {quote(asked.namespace)} {at}"),
            ]
            return ProblemView(404, f"There is no namespace “{asked.namespace}”", error.message, code, steps)
        case NotFound() if asked.workflow_id:
            return _run_unknown(error, asked, at)
        case NotFound():
            return ProblemView(404, "The server does not know it", error.message, code, [])
        case BadRequest() if asked.workflow_id:
            return _run_unknown(error, asked, at)
        case BadRequest():
            return ProblemView(400, "The server refused the request", error.message, code, [])
        case DeadlinePassed():
            steps = [Step("Reload the page. If it stays so, look at the server's log: it is busy or stuck.")]
            return ProblemView(504, f"{asked.address} did not answer in time", error.message, code, steps)
        case Refused():
            status = 401 if error.code is grpc.StatusCode.UNAUTHENTICATED else 403
            steps = [Step("Give the server that shows these pages a key that may read this namespace.")]
            return ProblemView(status, "The server does not allow it", error.message, code, steps)
        case Unsupported():
            return ProblemView(501, "This server cannot do that", error.message, code, [])
        case _:
            return ProblemView(502, "The server answered with an error", error.message, code, [])


def _run_unknown(error: RpcError, asked: Asked, at: str) -> ProblemView:
    what = f"workflow “{asked.workflow_id}”"
    if asked.run_id:
        what = f"run {asked.run_id} of {what}"
    command = f"temporal workflow describe -w {quote(asked.workflow_id)} -n {quote(asked.namespace)} {at}"
    steps = [
        Step("Look for it by its workflow id", href=asked.search_href),
        Step("Closed runs are deleted when their retention is over. Ask the server itself:", command),
    ]
    title = f"There is no {what} in namespace “{asked.namespace}”"
    return ProblemView(404, title, error.message, error.code.name, steps)


def no_such_page(path: str, home: str, status: int) -> ProblemView:
    """The page for an address, or a method, that means nothing here."""
    if status != 404:
        return ProblemView(status, "That cannot be done here", f"{path} only answers GET.", "", [])
    return ProblemView(
        404,
        "There is no such page",
        f"Nothing is at {path}.",
        "",
        [Step("Start from the list of workflows", href=home)],
    )


def fault(kind: str) -> ProblemView:
    """The page for a fault of ours."""
    why = f"{kind} was raised while the page was made. The server's log has the details."
    return ProblemView(500, "This page has a fault", why, "", [Step("Reload it, and report it if it stays.")])


def form_refused(why: str) -> ProblemView:
    """The page for a form that was not made by a page of ours."""
    steps = [Step("Go back, reload the page, and send the form once more.")]
    return ProblemView(403, "The form was not taken", why, "", steps)


def bad_form(problems: Mapping[str, str]) -> ProblemView:
    """The page for a form with mistakes, where the browser runs no script that shows them beside the fields."""
    steps = [Step(f"{name}: {words}" if name else words) for name, words in problems.items()]
    return ProblemView(422, "The form has mistakes", "Nothing was changed.", "", steps)


def of_ledger(error: LedgerError) -> ProblemView:
    """The page for an answer of the ledger other than the one asked for."""
    if isinstance(error, LedgerUnreachable):
        steps = [Step("Start it with the server, or alone:", "outlive ledger serve")]
        return ProblemView(503, "The ledger does not answer", error.message, error.kind, steps, 5)
    return ProblemView(error.status, "The ledger refused", error.message, error.kind, [])
