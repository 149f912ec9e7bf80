"""The research pipeline on outlive and on Temporal's own server: the same worker, the same histories.

Run with one thing at a time, so that what happens has one order on any server.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus

from examples.research_pipeline.contract import Approval, ResearchRequest, Stage, Verdict
from examples.research_pipeline.embedding import HashingEmbedder
from examples.research_pipeline.settings import DataFolder
from examples.research_pipeline.standin import StandIn
from examples.research_pipeline.worker import run_worker
from examples.research_pipeline.workflows import ResearchWorkflow
from tests.differential.histories import comparable, history

_SECONDS = 60
_ID = "research"

# Attributes that differ on purpose, each with its reason in docs/compatibility.md.
_DIFFERENT: set[tuple[str, str]] = set()


async def _run(client: Client, folder: Path, documents: Path) -> dict[str, list[dict[str, Any]]]:
    """One run with a worker of its own; the comparable history of the run and of each of its children."""
    data = DataFolder(folder)
    folder.mkdir()
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(client, data, StandIn(), HashingEmbedder(), stop, "research"))
    try:
        async with asyncio.timeout(_SECONDS):
            request = ResearchRequest(sources=[str(documents)], limit=2, concurrency=1, approval_seconds=60)
            handle = await client.start_workflow(ResearchWorkflow.run, request, id=_ID, task_queue="research")
            while (await handle.query(ResearchWorkflow.progress)).stage != Stage.WAITING:
                description = await handle.describe()
                assert description.status == WorkflowExecutionStatus.RUNNING, await handle.result()
                await asyncio.sleep(0.05)
            await handle.signal(ResearchWorkflow.decide, Approval(True, "someone", "fine"))
            result = await handle.result()
    finally:
        stop.set()
        await worker
    assert result.verdict == Verdict.APPROVED
    described = await handle.describe()
    names = {str(folder): "<folder>", described.run_id: "<run id>", described.run_id[-12:]: "<run>"}
    own = await handle.fetch_history()
    children = [
        event.start_child_workflow_execution_initiated_event_attributes.workflow_id
        for event in own.events
        if event.HasField("start_child_workflow_execution_initiated_event_attributes")
    ]
    assert len(children) == 2
    return {name: comparable(await history(client, name), names) for name in (_ID, *children)}


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Leaves by their path; payloads decoded, so that what a worker wrote is compared as it reads."""
    if isinstance(value, dict):
        leaves: dict[str, Any] = {}
        for key, item in value.items():
            leaves |= _flat(item, f"{path}.{key}" if path else key)
        return leaves
    if isinstance(value, list):
        leaves = {}
        for index, item in enumerate(value):
            leaves |= _flat(item, f"{path}[{index}]")
        return leaves
    return {path: value}


async def test_the_main_job_writes_the_same_histories_on_both_servers(
    client: Client, oracle: Client, tmp_path: Path
) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for name in ("kettle", "bicycle"):
        (documents / f"{name}.md").write_text(f"# The {name}\n\n" + f"A {name} is of use, and has a place. " * 12)
    ours = await _run(client, tmp_path / "ours", documents)
    theirs = await _run(oracle, tmp_path / "theirs", documents)
    assert ours.keys() == theirs.keys()
    differences = []
    for name, events in theirs.items():
        kinds = [event["eventType"] for event in events]
        assert [event["eventType"] for event in ours[name]] == kinds, name
        for index, (mine, other) in enumerate(zip(ours[name], events, strict=True)):
            left, right = _flat(mine), _flat(other)
            differences += [
                f"{name} event {index + 1} {kinds[index]} {path}: {left.get(path)!r}, there {right.get(path)!r}"
                for path in left.keys() | right.keys()
                if left.get(path) != right.get(path) and (kinds[index], path) not in _DIFFERENT
            ]
    assert len(ours[_ID]) > 30
    assert not differences, json.dumps(differences, indent=1)
