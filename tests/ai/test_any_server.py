"""Contents and documents on Temporal's own server: they use nothing that outlive alone has."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path

from temporalio.worker import Worker

from outlive.ai.contents import ContentsPlugin, Owner, collect, store_at
from outlive.ai.documents import DocumentActivities, HashingEmbedder, IndexReport, SqliteIndex
from tests.ai.documents.keeping import Keep
from tests.servers import connected


async def test_an_index_is_kept_and_its_arguments_are_collected(temporal: str, tmp_path: Path) -> None:
    async with asyncio.timeout(50):
        await _shown(temporal, tmp_path)


async def _shown(address: str, folder: Path) -> None:
    papers = [folder / "papers" / ("long " * 20 + f"{number}.md") for number in range(8)]
    papers[0].parent.mkdir()
    for path in papers:
        path.write_text(f"Text of {path.name[-4]}.")
    store = store_at(str(folder / "contents"))
    client = await connected(address, [ContentsPlugin(store)])
    index = SqliteIndex(folder / "index.db")
    activities = DocumentActivities(index, HashingEmbedder())
    async with Worker(client, task_queue="q", workflows=[Keep], activities=activities.activities):
        sources = [str(path) for path in papers]
        report = await client.execute_workflow(Keep.run, sources, id="keep", task_queue="q")
    assert report.documents == 8
    await index.close()
    while not [run async for run in client.list_workflows('WorkflowId = "keep"')]:
        await asyncio.sleep(0.1)
    data = b"of a workflow that the server does not know"
    await store.put({sha256(data).hexdigest(): data}, [Owner("default", 'gone "away"')])
    found = await collect(store, client.workflow_service, "default", grace=-60)
    assert (found.owners, found.gone, found.swept) == (2, ['gone "away"'], (1, len(data)))
    handle = client.get_workflow_handle("keep", result_type=IndexReport)
    assert (await handle.result()).documents == 8
    arguments = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes.input
    assert arguments.payloads[0].metadata["encoding"] == b"binary/outlive"
