"""Versions that clients say in the headers of a call: their own, and those of servers that they support."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, TypeAlias

from temporalio.api.errordetails.v1 import ClientVersionNotSupportedFailure, ServerVersionNotSupportedFailure

from outlive.errors import FailedPrecondition, InvalidArgument, ServiceError

PROTOCOL_VERSION: Final = "1.32.0"  # of the server whose behaviour this one follows; clients compare it
SUPPORTED_CLIENTS: Final[Mapping[str, str]] = {
    "Nexus-go-sdk": "<2.0.0",
    "temporal-cli": "<2.0.0",
    "temporal-go": "<2.0.0",
    "temporal-java": "<2.0.0",
    "temporal-php": "<2.0.0",
    "temporal-server": "<2.0.0",
    "temporal-typescript": "<2.0.0",
    "temporal-ui": "<3.0.0",
}
"""By client name. Other clients are not looked at."""

_VERSION = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_CONDITION = re.compile(r"\s*(<=|>=|!=|!|==|=|<|>)?\s*([^\s<>=!]+)")
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
    "=": eq,
    "==": eq,
    "!": ne,
    "!=": ne,
    "": eq,
}

_Parts: TypeAlias = tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]


def check(headers: Mapping[str, str]) -> None:
    """Refuse a client that is too new for this server, or for which this server is too old. Raises ServiceError."""
    problem = _problem(
        headers.get("client-name", ""), headers.get("client-version", ""), headers.get("supported-server-versions", "")
    )
    if problem is not None:
        raise problem()


@lru_cache(maxsize=256)
def _problem(name: str, version: str, supported: str) -> Callable[[], ServiceError] | None:
    wanted = SUPPORTED_CLIENTS.get(name)
    if wanted is not None and version:
        if _parts(version) is None:
            return lambda: InvalidArgument(f"Unable to parse client version: {version[:100]} is not Major.Minor.Patch")
        if not _holds(wanted, version):
            return lambda: FailedPrecondition(
                f"Client version {version} is not supported. Server supports client versions: {wanted}",
                ClientVersionNotSupportedFailure(client_version=version, client_name=name, supported_versions=wanted),
            )
    if supported:
        met = _holds(supported, PROTOCOL_VERSION)
        if met is None:
            return lambda: InvalidArgument(
                f"Unable to parse supported server versions: {supported[:100]} is no range such as >=1.0.0 <2.0.0"
            )
        if not met:
            return lambda: FailedPrecondition(
                f"Server version {PROTOCOL_VERSION} is not supported. Client supports server versions: {supported}",
                ServerVersionNotSupportedFailure(
                    server_version=PROTOCOL_VERSION, client_supported_server_versions=supported
                ),
            )
    return None


def _holds(text: str, version: str) -> bool | None:
    """Whether the version is in a range: conditions that all hold, or || others. None for what is no range."""
    parts = _parts(version)
    result = False
    for alternative in text.split("||"):
        conditions = _CONDITION.findall(alternative)
        if not conditions or _CONDITION.sub("", alternative).strip() or parts is None:
            return None
        holds = True
        for operator, bound in conditions:
            other = _parts(bound)
            if other is None:
                return None
            holds = holds and _COMPARE[operator](parts, other)
        result = result or holds
    return result


def _parts(version: str) -> _Parts | None:
    """What versions are ordered by: one that is released comes after those that lead to it."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    early = match[4] or ""
    marks = tuple(_mark(mark) for mark in early.split(".")) if early else ()
    return (int(match[1]), int(match[2]), int(match[3])), not early, marks


def _mark(mark: str) -> tuple[bool, int, str]:
    number = mark.isdecimal()
    return not number, int(mark[:18]) if number else 0, mark
