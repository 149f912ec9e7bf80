"""`outlive server config`, and the file of the dynamic configuration of a server that people start."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from outlive.dynamic.keys import KEYS
from tests.cli.test_server_command import run, started


def test_every_key_is_listed_for_programs() -> None:
    rows = json.loads(run("server", "config", "--json").stdout)
    assert {row["key"] for row in rows} == {key.name for key in KEYS.values()}
    assert all(
        row.keys() == {"key", "value", "default", "kind", "meaning", "setBy", "constraints"}
        and row["setBy"] == "default"
        and row["value"] == row["default"]
        for row in rows
    )


def test_where_a_value_was_set(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("limit.blobSize.error:\n- value: 5\n  constraints: {namespace: a}\n")
    options = ["--dynamic-config-file", str(file), "--dynamic-config-value", "limit.memoSize.error=7"]
    rows = json.loads(run("server", "config", "size.error", "--json", *options).stdout)
    by_key = [(row["key"], row["value"], row["setBy"], row["constraints"]) for row in rows]
    assert by_key == [
        ("limit.blobSize.error", 2097152, "default", {}),
        ("limit.blobSize.error", 5, str(file), {"namespace": "a"}),
        ("limit.historySize.error", 52428800, "default", {}),
        ("limit.memoSize.error", 7, "--dynamic-config-value", {}),
    ]
    table = run("server", "config", "blob", *options).stdout
    assert table.splitlines()[0].split() == ["KEY", "VALUE", "DEFAULT", "SET", "BY", "MEANING"]
    assert f"{file} (namespace=a)" in table
    assert "No key contains 'nothing'" in run("server", "config", "nothing").stdout


def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path) -> None:
    bad = run("server", "config", "--dynamic-config-value", "limit.memoSize.error=-7")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "takes a whole number" in bad.stderr
    missing = run("server", "start-dev", "--headless", "--port", "0", "--dynamic-config-file", str(tmp_path / "no"))
    assert missing.returncode == 2
    assert "cannot be read" in missing.stderr
    assert "Traceback" not in missing.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")
async def test_a_hang_up_reads_the_file_again(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("limit.blobSize.error: [{value: 5}]\n")
    with started("start-dev", "--headless", "--port", "0", "--dynamic-config-file", str(file)) as (child, address):
        client = await Client.connect(address)

        async def limit() -> int:
            answer = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
            return answer.namespace_info.limits.blob_size_limit_error

        assert await limit() == 5
        file.write_text("limit.blobSize.error: [{value: 6}]\n")
        child.send_signal(signal.SIGHUP)
        async with asyncio.timeout(4):  # before the next look at the file would come
            while await limit() != 6:
                pass
