"""Completion callbacks: whom a server may call, and with what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from temporalio.api.common.v1 import Callback

from outlive.api.validation.common import Scope, length
from outlive.dynamic import keys
from outlive.engine.callbacks import SYSTEM_CALLBACK
from outlive.errors import InvalidArgument, Unimplemented
from outlive.limits import CALLBACK_HEADER_MAX, CALLBACK_URL_MAX

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SPACE = re.compile(r"[\x00-\x20\x7f]")


def check_callbacks(callbacks: Sequence[Callback], scope: Scope) -> None:
    """Raises for a callback that may not be called. Names of headers are kept in lower case."""
    maximum = scope.namespace.limits.callbacks_max
    if len(callbacks) > maximum:
        raise InvalidArgument(f"cannot attach more than {maximum} callbacks to a workflow")
    for callback in callbacks:
        kind = callback.WhichOneof("variant")
        if kind is None:
            raise Unimplemented("unknown callback variant: <nil>")
        if kind != "nexus":
            raise InvalidArgument("unsupported callback variant: only nexus callbacks can be attached")
        _check_url(callback.nexus.url, scope)
        _check_header(callback.nexus)


def _check_url(url: str, scope: Scope) -> None:
    if length(url) > CALLBACK_URL_MAX:
        raise InvalidArgument(f"invalid url: url length longer than max length allowed of {CALLBACK_URL_MAX}")
    if url == SYSTEM_CALLBACK:
        return
    parts = _split(url)
    if parts.scheme not in ("http", "https"):
        raise InvalidArgument(f"invalid url: unknown scheme: {url}")
    if not parts.netloc:
        raise InvalidArgument("invalid url: missing host")
    address = parts.netloc.rpartition("@")[2]
    if not any(rule.allows(parts.scheme, address) for rule in scope.setting(keys.CALLBACK_ADDRESSES)):
        raise InvalidArgument(f"invalid url: url does not match any configured callback address: {url}")


def _split(url: str) -> SplitResult:
    """The URL's parts, where a server can be called by it."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is none
    except ValueError as error:
        raise InvalidArgument(f"invalid url: {error}: {url}") from None
    if _SPACE.search(url) or not url.isascii():
        raise InvalidArgument(f"invalid url: it has characters that it must escape: {url}")
    return parts


def _check_header(nexus: Callback.Nexus) -> None:
    header = {name.lower(): value for name, value in nexus.header.items()}
    if sum(length(name) + length(value) for name, value in header.items()) > CALLBACK_HEADER_MAX:
        raise InvalidArgument(f"invalid header: header size longer than max allowed size of {CALLBACK_HEADER_MAX}")
    for name, value in header.items():
        if not _NAME.fullmatch(name):
            raise InvalidArgument(f"invalid header: {name!r} is no name of a header field")
        if _CONTROL.search(value):
            raise InvalidArgument(f"invalid header: the value of {name} has control characters")
    nexus.ClearField("header")
    nexus.header.update(header)
