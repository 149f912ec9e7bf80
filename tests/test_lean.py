"""Importing the server without the SDK."""

from __future__ import annotations

import subprocess
import sys

import pytest

IMPORT = """
import sys
from outlive.lean import messages_only
with messages_only():
    import outlive.server
"""
LOOK = """
heavy = [name for name in ("temporalio.service", "temporalio.bridge", "grpc", "uvicorn") if name in sys.modules]
assert not heavy, heavy
"""


def run(code: str) -> None:
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr


def test_a_server_is_imported_without_the_sdk() -> None:
    run(IMPORT + LOOK)


@pytest.mark.parametrize(
    "later",
    [
        "import grpc.aio, temporalio, temporalio.client\nassert temporalio.__version__[0].isdigit()",
        "from temporalio import __version__, client\nassert __version__[0].isdigit() and client.Client",
        "from temporalio.worker import Worker\nimport temporalio.testing",
    ],
)
def test_the_sdk_is_there_for_who_asks_later(later: str) -> None:
    run(IMPORT + LOOK + later)


def test_what_is_imported_already_stays() -> None:
    run("import grpc, temporalio.client" + IMPORT + "import grpc.aio\nassert temporalio.client.Client")
