"""`make acceptance`: a TypeScript pipeline, unedited, against the server; then again with a kill in the middle.

The pipeline's worker and workflow come from `$OUTLIVE_SHARED/acceptance/seed-typescript` (default ../shared).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from temporalio.client import Client, WorkflowHandle

SHARED = Path(os.environ.get("OUTLIVE_SHARED", "../shared"))
SDK = "1.13.0"
ADDRESS = "127.0.0.1:7233"
PACKAGE = {
    "name": "acceptance",
    "private": True,
    "scripts": {},
    "dependencies": {f"@temporalio/{part}": "^" + SDK for part in ("worker", "workflow", "activity", "client")},
    "devDependencies": {"typescript": "^5.6.0", "@types/node": "^20.0.0"},
}
TSCONFIG = {
    "compilerOptions": {
        "target": "es2020",
        "module": "commonjs",
        "moduleResolution": "node",
        "strict": False,
        "esModuleInterop": True,
        "skipLibCheck": True,
        "rootDir": "src",
        "outDir": "lib",
    },
    "include": ["src/**/*.ts"],
}
CLIENT = """
const { Connection, Client } = require('@temporalio/client');
(async () => {
  const [command, workflowId] = process.argv.slice(2);
  const client = new Client({ connection: await Connection.connect() });
  if (command === 'start') {
    const options = { taskQueue: 'ai-pipeline', workflowId, args: [{ jobId: 'job-1' }] };
    await client.workflow.start('aiPipelineWorkflow', options);
  } else {
    const handle = client.workflow.getHandle(workflowId);
    if (command === 'result') await handle.result();
    const history = await handle.fetchHistory();
    const completed = history.events.filter((e) => e.activityTaskCompletedEventAttributes).length;
    const last = history.events[history.events.length - 1];
    const closed = !!last.workflowExecutionCompletedEventAttributes;
    console.log(JSON.stringify({ completed, result: command === 'result' ? await handle.result() : null, closed }));
  }
  process.exit(0);
})().catch((error) => { console.error(error.message); process.exit(1); });
"""


def main() -> int:
    """Exit status 0 if both runs gave what they must."""
    source = SHARED / "acceptance" / "seed-typescript" / "src"
    if not source.is_dir():
        print(
            f"acceptance: {source} is not there: set OUTLIVE_SHARED to the folder that has acceptance/.",
            file=sys.stderr,
        )
        return 2
    if shutil.which("npm") is None:
        print("acceptance: npm is not there: install Node 18 or newer.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="outlive-acceptance-") as name:
        folder = Path(name)
        _build(folder, source)
        _say("1. the pipeline as it is")
        with _server(folder / "plain.db"), _worker(folder):
            _client(folder, "start", "plain")
            _check(_client(folder, "result", "plain"))
        _say("2. the server killed and started again between two activities")
        _interrupted(folder)
    _say("accepted")
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


def _build(folder: Path, source: Path) -> None:
    """The project around the unedited source."""
    shutil.copytree(source, folder / "src")
    (folder / "package.json").write_text(json.dumps(PACKAGE))
    (folder / "tsconfig.json").write_text(json.dumps(TSCONFIG))
    (folder / "client.js").write_text(CLIENT)
    started = time.monotonic()
    for command in (["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], ["npx", "tsc"]):
        subprocess.run(command, cwd=folder, check=True, timeout=400)
    _say(f"0. npm packages installed and compiled in {time.monotonic() - started:.0f} s")


@contextmanager
def _process(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGCONT)
        child.kill()
        child.wait()


def _worker(folder: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return _process(["node", "lib/worker.js"], folder)


@contextmanager
def _server(database: Path) -> Iterator[subprocess.Popen[str]]:
    """The server at its default address, ready."""
    command = [sys.executable, "-m", "outlive", "server", "start-dev", "--headless", "--db-filename", str(database)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    if ADDRESS not in child.stdout.readline():
        child.wait()
        raise SystemExit(f"acceptance: the server did not start at {ADDRESS}")
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def _client(folder: Path, command: str, workflow_id: str) -> dict[str, object]:
    done = subprocess.run(
        ["node", "client.js", command, workflow_id],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"acceptance: the client's `{command}` failed: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def _check(found: dict[str, object]) -> None:
    expected = {"jobId": "job-1", "docCount": 2}
    if found["result"] != expected or found["completed"] != 4:
        raise SystemExit(f"acceptance: expected {expected} and four activities, found {found}")
    _say(f"   result {json.dumps(found['result'])}, {found['completed']} activities completed in history")


def _interrupted(folder: Path) -> None:
    """Freeze the worker when the first activity has completed, kill the server, start it again, go on."""
    database = folder / "killed.db"
    with _server(database) as server, _worker(folder) as worker:
        completed = asyncio.run(_freeze_after_first_activity(worker))
        server.kill()
        server.wait()
        _say(f"   killed with {completed} of 4 activities completed")
        with _server(database):
            worker.send_signal(signal.SIGCONT)
            _check(_client(folder, "result", "killed"))


async def _freeze_after_first_activity(worker: subprocess.Popen[bytes]) -> int:
    """Start the pipeline and stop its worker in the middle; returns how many activities have completed."""
    client = await Client.connect(ADDRESS)
    for _ in range(50):
        handle = await client.start_workflow(
            "aiPipelineWorkflow", {"jobId": "job-1"}, id="killed", task_queue="ai-pipeline"
        )
        async with asyncio.timeout(60):
            while await _completed(handle) == 0:
                await asyncio.sleep(0)
        worker.send_signal(signal.SIGSTOP)
        completed = await _completed(handle)
        if completed < 4:
            return completed
        worker.send_signal(signal.SIGCONT)
        await handle.result()
    raise SystemExit("acceptance: the pipeline was too fast to be interrupted between two activities")


async def _completed(handle: WorkflowHandle[object, object]) -> int:
    events = [event async for event in handle.fetch_history_events()]
    return sum(event.HasField("activity_task_completed_event_attributes") for event in events)


if __name__ == "__main__":
    sys.exit(main())
