"""What clients say of versions in the headers of a call."""

from __future__ import annotations

import pytest
from temporalio.api.errordetails.v1 import ClientVersionNotSupportedFailure, ServerVersionNotSupportedFailure

from outlive.api.versions import check
from outlive.errors import FailedPrecondition, InvalidArgument


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"client-name": "temporal-go", "client-version": "0.1.0"},
        {
            "client-name": "temporal-go",
            "client-version": "1.30.0-rc.1+build",
            "supported-server-versions": ">=1.0.0 <2.0.0",
        },
        {"client-name": "temporal-go", "client-version": "2.0.0-rc.1"},  # comes before 2.0.0
        {"client-name": "temporal-ui", "client-version": "2.54.1"},
        {"client-name": "someone-else", "client-version": "x.y"},
        {"supported-server-versions": ">=9.0.0 || =1.32.0"},
        {"supported-server-versions": "!=1.31.0"},
    ],
)
def test_taken(headers: dict[str, str]) -> None:
    check(headers)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"client-name": "temporal-go", "client-version": "x.y"}, "Unable to parse client version"),
        ({"client-name": "temporal-cli", "client-version": "1.2"}, "Unable to parse client version"),
        ({"supported-server-versions": "nonsense"}, "Unable to parse supported server versions"),
        ({"supported-server-versions": ">=1.0.0 ||"}, "Unable to parse supported server versions"),
        ({"supported-server-versions": " "}, "Unable to parse supported server versions"),
    ],
)
def test_not_understood(headers: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        check(headers)


def test_too_new_or_too_old() -> None:
    with pytest.raises(FailedPrecondition, match=r"Client version 2\.0\.0 is not supported") as client:
        check({"client-name": "temporal-go", "client-version": "2.0.0"})
    assert isinstance(client.value.detail, ClientVersionNotSupportedFailure)
    with pytest.raises(FailedPrecondition, match=r"Server version .* is not supported") as server:
        check({"supported-server-versions": ">=99.0.0"})
    assert isinstance(server.value.detail, ServerVersionNotSupportedFailure)
