"""docs/rpcs.md: every RPC of the protocol, and the tests in which it was answered, or "later".

    python scripts/rpc_table.py

Runs the test suite with each answer of a server in its process noted, so the table says what happened, not
what was meant. The fuzz tests, which call everything, do not count.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "rpcs.md"
_VARIABLE = "OUTLIVE_RPC_NOTES"
_SERVICES = ("workflowservice", "operatorservice", "testservice")
_LATER = {
    "Nexus": "later: Nexus",
    "ActivityExecution": "later: standalone activities",
    "WorkflowRule": "later: workflow rules",
    "WorkerBuildId": "later: deprecated versioning",
    "WorkerVersioningRules": "later: deprecated versioning",
    "WorkerTaskReachability": "later: deprecated versioning",
    "RemoteCluster": "refused: one cluster only",
}
_FIRST_DEPLOYMENTS = {
    "DescribeDeployment",
    "ListDeployments",
    "SetCurrentDeployment",
    "GetCurrentDeployment",
    "GetDeploymentReachability",
}


class Notes:
    """The pytest plug-in: which test had which RPC answered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._test = ""
        self._seen: dict[str, set[str]] = defaultdict(set)

    def pytest_configure(self, config: pytest.Config) -> None:
        server = importlib.import_module("outlive.api.http2.server")
        answer = server.answer

        async def noted(rpc: Any, message: bytes, call: Any) -> bytes:
            data: bytes = await answer(rpc, message, call)
            self._seen[rpc.request.DESCRIPTOR.name.removesuffix("Request")].add(self._test)
            return data

        server.answer = noted  # type: ignore[attr-defined]

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._test = item.nodeid.split("[")[0]

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        found = {rpc: sorted(test for test in tests if "/fuzz/" not in test) for rpc, tests in self._seen.items()}
        self._path.write_text(json.dumps(found))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes.json"
        command = [sys.executable, str(Path(__file__)), "--run", *sys.argv[1:]]
        code = subprocess.call(command, cwd=ROOT, env={**os.environ, _VARIABLE: str(notes)})
        PAGE.write_text(_page(json.loads(notes.read_text())))
    return code


def _page(seen: dict[str, list[str]]) -> str:
    lines = [
        "# RPCs",
        "",
        "Each RPC of the protocol with a test in which a server answered it, as noted while the tests ran",
        "(`python scripts/rpc_table.py`). The fuzz tests, which call every RPC, are not counted.",
    ]
    for service in _SERVICES:
        module = importlib.import_module(f"temporalio.api.{service}.v1")
        names = [n[:-7] for n in dir(module) if n.endswith("Request") and hasattr(module, n[:-7] + "Response")]
        lines += ["", f"## {service}", "", "| RPC | tests | for instance |", "|---|---:|---|"]
        for name in names:
            tests = seen.get(name, [])
            example = f"`{tests[0]}`" if tests else _why_not(name)
            lines.append(f"| {name} | {len(tests) or ''} | {example} |")
    return "\n".join(lines) + "\n"


def _why_not(name: str) -> str:
    if name in _FIRST_DEPLOYMENTS:
        return "later: the first form of deployments"
    return next((why for part, why in _LATER.items() if part in name), "later")


if __name__ == "__main__":
    if os.environ.get(_VARIABLE) and sys.argv[1:2] == ["--run"]:
        sys.exit(pytest.main(["-q", *sys.argv[2:]], plugins=[Notes(Path(os.environ[_VARIABLE]))]))
    sys.exit(main())
