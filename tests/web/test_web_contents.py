"""Payloads whose bytes are in the ledger are shown whole; hostile and huge ones do nothing."""

from __future__ import annotations

import json

import httpx
import pytest
from temporalio.client import Client

from outlive.ai.contents import ContentsPlugin, LedgerStore
from outlive.ledger.client import connect
from tests.web.conftest import NAMESPACE, QUEUE, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")
MESSAGES = [{"role": "user", "content": f"question {n}, " + "at length, " * 40} for n in range(60)]


async def test_what_is_in_the_ledger_is_shown_as_what_it_is(http: httpx.AsyncClient, stage: Stage) -> None:
    async with connect(stage.ledger) as ledger:
        client = await Client.connect(stage.address, plugins=[ContentsPlugin(LedgerStore(ledger))])
        handle = await client.start_workflow("HoldOn", MESSAGES, id="contents-chat", task_queue="nobody-polls")
    path = f"/namespaces/{NAMESPACE}/workflows/{handle.id}/{handle.result_run_id}"
    view = (await http.get(path, headers={"accept": "application/json"})).json()
    (shown,) = view["input"]
    assert shown["kind"] == "json"
    assert shown["shape"]["kind"] == "chat"
    assert "question 59" in (await http.get(path)).text
    assert (await http.get(shown["raw"])).json() == MESSAGES
    await handle.terminate()


async def test_ten_megabytes_and_hostile_markdown_do_nothing(http: httpx.AsyncClient, stage: Stage) -> None:
    evil = "# Title\n\n<script>alert(1)</script> [x](javascript:alert(1)) ![x](https://evil.example/p.png) \u202egnp"
    handle = await stage.client.start_workflow("HoldOn", evil, id="evil-markdown", task_queue=QUEUE + "-nobody")
    await handle.signal("more", {"deep": [[["x" * 1_500_000]]]})
    answer = await http.get(stage.run_path(handle))
    assert len(answer.text) < 500_000
    shown = answer.text[answer.text.index('<div class="prose">') : answer.text.index("As text")]
    assert "<h1>Title</h1>" in shown
    for bad in ("<script", "<img", 'href="javascript', "\u202e"):
        assert bad not in shown
    view = (await http.get(stage.run_path(handle), headers={"accept": "application/json"})).text
    assert json.loads(view)["input"][0]["shape"]["markdown"] == evil
    await handle.terminate()
