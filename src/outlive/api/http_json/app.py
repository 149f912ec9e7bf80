"""The ASGI application: a request to an RPC, its answer or its error to a response.

Rules
- A path is split before its segments are decoded, so an id may hold a slash, written as %2F.
- A route that takes a body takes nothing from the query; one that takes none takes everything from it, or from
  a form that is posted, for queries longer than an address may be.
- A caller that goes away, or whose `Grpc-Timeout` is over, ends its call.
- What changes something is refused to pages of other hosts: a browser would send it for any of them.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from google.protobuf.message import Message
from starlette.types import Receive, Scope, Send

from outlive.api import versions
from outlive.api.handlers import Handlers, respond
from outlive.api.http2.grpc import deadline_exceeded, timeout_of
from outlive.api.http_json import media, parameters, reading, writing
from outlive.api.http_json.routes import Route, Routes
from outlive.clock import Clock
from outlive.dynamic import keys
from outlive.dynamic.config import DynamicConfig
from outlive.dynamic.kinds import matches
from outlive.engine.calls import HTTP_CLIENT, Call
from outlive.errors import Code, InvalidArgument, PermissionDenied, ServiceError, Unimplemented
from outlive.limits import GRPC_MESSAGE_MAX, HTTP_PARAMETERS_MAX, SECOND

log = logging.getLogger(__name__)

STATUS: Final[Mapping[int, int]] = {
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
}
"""HTTP status by gRPC code."""

_FORM: Final = "application/x-www-form-urlencoded"
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_LOCAL: Final = frozenset(("localhost", "127.0.0.1", "::1"))


class _NoRoute(ServiceError):
    """NOT_FOUND, without the detail that belongs to what requests name."""

    code = Code.NOT_FOUND


class _Gone(Exception):
    """The caller has closed the connection."""


class HttpApi:
    """The application over a table of RPCs."""

    def __init__(self, handlers: Handlers, clock: Clock, config: DynamicConfig) -> None:
        self._routes = Routes(handlers)
        self._clock = clock
        self._config = config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        form = media.PLAIN
        allow = ""
        try:
            _check_host(self._config.get(keys.HTTP_HOSTS), headers)
            query = _parsed(scope["query_string"].decode("latin-1"))
            form = media.wanted(headers, query)
            found = self._routes.match(_segments(scope["raw_path"]))
            if found is None:
                raise _NoRoute("Not Found")
            body = await _body(receive)
            route = found.routes.get(scope["method"])
            if route is None and _is_form(scope["method"], headers):
                route = found.routes.get("GET")
                query = _parsed(body.decode("latin-1"))
            if route is None:
                allow = ", ".join(found.routes)
                raise Unimplemented(f"Method Not Allowed: use {allow} on this path")
            _check_origin(scope["method"], headers)
            versions.check(headers)
            request = _request(route, found.values, query, body, headers)
            answer = await self._call(route, request, headers, receive)
            status, value = 200, writing.write(answer, form.shorthand)
        except _Gone:
            return
        except ServiceError as error:
            status, value = STATUS[error.code], _told(error)
        await _send(send, status, writing.dumps(value, indent=form.indent), form, allow)

    async def _call(self, route: Route, request: Message, headers: Mapping[str, str], receive: Receive) -> Message:
        """Run the RPC until it answers, the caller goes away, or its time is over."""
        timeout = _timeout(headers)
        call = Call(
            self._clock.now() + timeout if timeout else 0,
            headers.get("client-name", HTTP_CLIENT),
            headers.get("client-version", ""),
        )
        running = asyncio.ensure_future(respond(route.rpc, request, call))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait(
                {running, gone}, timeout=timeout / SECOND if timeout else None, return_when=asyncio.FIRST_COMPLETED
            )
            if running.done():
                answer = running.result()
                return answer if isinstance(answer, Message) else route.response.FromString(answer)
            if gone.done():
                raise _Gone
            raise deadline_exceeded()
        finally:
            running.cancel()
            gone.cancel()


def _parsed(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=HTTP_PARAMETERS_MAX)
    except ValueError as error:
        raise InvalidArgument(f"the query cannot be read: {error}") from None


def _segments(raw_path: bytes) -> list[str]:
    if _BAD_ESCAPE.search(raw_path):
        raise InvalidArgument("the path has a % that no two hexadecimal digits follow: write %25 for a %")
    try:
        return [unquote_to_bytes(segment).decode() for segment in raw_path.partition(b"?")[0].split(b"/")[1:]]
    except UnicodeDecodeError:
        raise InvalidArgument("the path is not UTF-8") from None


def _is_form(method: str, headers: Mapping[str, str]) -> bool:
    return method == "POST" and headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise _Gone
        part = event.get("body", b"")
        size += len(part)
        if size > GRPC_MESSAGE_MAX:
            raise InvalidArgument(f"request body too large: at most {GRPC_MESSAGE_MAX} bytes are taken")
        parts.append(part)
        if not event.get("more_body"):
            return b"".join(parts)


def _request(
    route: Route,
    values: Sequence[str],
    query: Mapping[str, Sequence[str]],
    body: bytes,
    headers: Mapping[str, str],
) -> Message:
    request = route.rpc.request()
    if route.body:
        reading.read(reading.loads(body), request, media.sent(headers).shorthand)
    else:
        parameters.fill(request, query)
    for path, value in zip(route.variables, values, strict=True):
        parameters.put(request, path, value)
    return request


def _check_host(allowed: Sequence[str], headers: Mapping[str, str]) -> None:
    host = headers.get("host", "")
    if "*" not in allowed and not any(matches(pattern, host) for pattern in allowed):
        raise PermissionDenied(f"requests to the host {host} are refused: frontend.httpAllowedHosts does not name it")


def _check_origin(method: str, headers: Mapping[str, str]) -> None:
    """Only a browser sends an origin, and only for pages of the same host, or of this machine, is it obeyed."""
    origin = headers.get("origin", "")
    if method == "GET" or not origin:
        return
    host = urlsplit(origin).hostname
    if host not in _LOCAL and host != urlsplit("//" + headers.get("host", "")).hostname:
        raise PermissionDenied(f"requests from pages of {origin} are refused: call from the server's own host")


def _timeout(headers: Mapping[str, str]) -> int:
    text = headers.get("grpc-timeout", "")
    if not text:
        return 0
    timeout = timeout_of(text)
    if not timeout:
        raise InvalidArgument(f"invalid grpc-timeout: {text}")
    return timeout


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _told(error: ServiceError) -> dict[str, Any]:
    return writing.error(int(error.code), error.message, error.detail)


async def _send(send: Send, status: int, body: bytes, form: media.Form, allow: str) -> None:
    headers = [
        (b"content-type", form.media_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    if allow:
        headers.append((b"allow", allow.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
