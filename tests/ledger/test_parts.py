"""Cached responses, contents, streams and approvals: on both databases, and in both forms."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from outlive.ledger.blobs import FolderBlobs, OwnBlobs
from outlive.ledger.cache import Cache
from outlive.ledger.client import Approval, BadRequest, Conflict, Decision, Ledger, NotFound, Tokens, Unauthorized
from outlive.ledger.contents import Contents
from outlive.ledger.service import Service
from outlive.ledger.store.sqlite import SqliteDatabase
from outlive.limits import CONTENT_GRACE, SECOND
from tests.ledger.conftest import Open


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = 1_800_000_000 * SECOND

    def now(self) -> int:
        return self.at


# -- cached responses


async def test_a_response_is_kept_and_counted(ledger: Ledger) -> None:
    assert await ledger.cache_get("default", "d1") is None
    await ledger.cache_put("default", "d1", b"\0answer", cost=5, usage=Tokens(1, 2), model="m")
    first = await ledger.cache_get("default", "d1")
    second = await ledger.cache_get("default", "d1")
    assert first is not None
    assert second is not None
    assert (second.value, second.cost, second.usage, second.model) == (b"\0answer", 5, Tokens(1, 2), "m")
    assert await ledger.cache_get("other", "d1") is None, "each namespace has its own"
    assert await ledger.cache_clear("default") == 1
    assert await ledger.cache_get("default", "d1") is None


@pytest.fixture
async def opened(database: Open):  # type: ignore[no-untyped-def]
    """A database alone."""
    database_ = database()
    await database_.open()
    yield database_
    await database_.close()


async def test_responses_run_out_and_the_least_used_make_room(opened: SqliteDatabase) -> None:
    clock = HandClock()
    cache = Cache(opened, clock, room=1_000)
    await cache.cache_put("n", "short", b"x", ttl=10)
    clock.at += 11 * SECOND
    assert await cache.cache_get("n", "short") is None
    for number in range(8):
        clock.at += SECOND
        await cache.cache_put("n", f"d{number}", b"y" * 120)
    clock.at += SECOND
    assert await cache.cache_get("n", "d0") is not None, "used again"
    await opened.committed()
    clock.at += SECOND
    await cache.cache_put("n", "new", b"z" * 120)
    await opened.committed()
    kept = [name for name in ("d0", "d1", "d7", "new") if await cache.cache_get("n", name) is not None]
    assert kept == ["d0", "d7", "new"]


# -- contents


async def test_contents_live_as_long_as_an_owner(opened: SqliteDatabase, tmp_path: Path) -> None:
    clock = HandClock()
    for blobs in (OwnBlobs(opened), FolderBlobs(tmp_path / "blobs")):
        contents = Contents(opened, blobs, clock)
        data = b"a long document" * 100
        digest = await contents.put_content(data, owner="run-1")
        assert await contents.put_content(data, owner="run-1") == digest
        await contents.keep_content([digest], owner="run-2")
        assert [owner.owner for owner in await contents.content_owners()] == ["run-1", "run-2"]
        assert await contents.release_content(owner="run-1") == 1
        clock.at += CONTENT_GRACE + SECOND
        await contents.sweep()
        assert await contents.get_content(digest) == data
        await contents.release_content(owner="run-2")
        with pytest.raises(NotFound):
            await contents.get_content(digest)
        with pytest.raises(NotFound):
            await contents.keep_content([digest], owner="run-3")


async def test_contents_through_the_interface(ledger: Ledger) -> None:
    digest = await ledger.put_content(bytes(range(256)), owner="run")
    assert await ledger.get_content(digest) == bytes(range(256))
    (owner,) = await ledger.content_owners()
    assert (owner.owner, owner.contents, owner.size) == ("run", 1, 256)
    with pytest.raises(NotFound):
        await ledger.get_content("../../etc/passwd")


# -- streams


async def test_a_late_reader_gets_what_it_missed_and_no_text_twice(ledger: Ledger) -> None:
    assert await ledger.append("s", ["a", "b"]) == 2
    assert await ledger.append("s", ["a", "b"], at=0) == 2, "sent again after a fault"
    assert await ledger.append("s", ["b", "c"], at=1) == 3
    found = await ledger.read("s", 1)
    assert [(chunk.offset, chunk.data, chunk.attempt) for chunk in found.chunks] == [(1, "b", 1), (2, "c", 1)]
    await ledger.append("s", ["A"], attempt=2)
    with pytest.raises(Conflict, match="replaced"):
        await ledger.append("s", ["late"], attempt=1)
    assert "".join(chunk.data for chunk in (await ledger.read("s", 0)).chunks) == "A"
    await ledger.append("s", ["B"], attempt=2, closed=True)
    assert [chunk.data async for chunk in ledger.follow("s")] == ["A", "B"]
    with pytest.raises(Conflict, match="closed"):
        await ledger.append("s", ["C"], attempt=2)
    with pytest.raises(Conflict, match="between"):
        await ledger.append("s", ["x"], attempt=3, at=5)


async def test_readers_are_told_within_150_milliseconds(ledger: Ledger) -> None:
    delays = []
    for number in range(10):
        reading = asyncio.create_task(ledger.read("s", number, wait=10))
        await asyncio.sleep(0.02)
        began = time.perf_counter()
        await ledger.append("s", [str(number)])
        (chunk,) = (await asyncio.wait_for(reading, 5)).chunks
        delays.append(time.perf_counter() - began)
        assert chunk.data == str(number)
    assert sorted(delays)[len(delays) // 2] < 0.15


async def test_a_stream_goes_on_after_a_restart(database: Open) -> None:
    async with Service(database()) as before:
        await before.append("s", ["a", "b"])
    async with Service(database()) as after:
        assert await after.append("s", ["b", "c"], at=1, closed=True) == 3
        found = await after.read("s")
        assert ("".join(chunk.data for chunk in found.chunks), found.closed) == ("abc", True)


# -- approvals


async def test_a_question_is_decided_once(ledger: Ledger) -> None:
    asked = await ledger.ask_approval(
        Approval("a1", "Send it?", run="r", details={"to": "x"}, schema={"type": "object"}, assignee="ann")
    )
    assert asked.state == "open"
    assert await ledger.ask_approval(Approval("a1", "Something else?")) == asked
    waiting = asyncio.create_task(ledger.approval("a1", wait=20))
    await asyncio.sleep(0.02)
    with pytest.raises(BadRequest, match="none of"):
        await ledger.decide("a1", Decision("maybe", by="ann"))
    decided = await ledger.decide("a1", Decision("approve", by="ann", edits={"to": "y"}))
    assert (decided.state, decided.decided_by, decided.edits) == ("approved", "ann", {"to": "y"})
    assert decided.decided_at >= decided.asked_at
    assert await asyncio.wait_for(waiting, 5) == decided
    assert await ledger.decide("a1", Decision("approve", by="ann")) == decided
    with pytest.raises(Conflict, match="approved already by ann"):
        await ledger.decide("a1", Decision("reject", by="bob"))
    await ledger.ask_approval(Approval("a2", "And this?", assignee="bob"))
    assert [a.id for a in await ledger.approvals(state="open")] == ["a2"]
    assert [a.id for a in await ledger.approvals(assignee="ann")] == ["a1"]
    assert (await ledger.decide("a2", Decision("reject", by="bob", reason="no"))).state == "rejected"
    with pytest.raises(NotFound):
        await ledger.approval("never")


async def test_escalation_deadline_and_restart(database: Open) -> None:
    now = time.time_ns() // 1_000_000
    async with Service(database()) as before:
        await before.ask_approval(
            Approval("a", "Now?", assignee="ann", escalate_to="boss", escalate_at=now + 100, deadline=now + 900)
        )
        while not (await before.approval("a")).escalated:
            await asyncio.sleep(0.01)
        assert (await before.approval("a")).assignee == "boss"
    async with Service(database()) as after:
        ended = await after.approval("a", wait=10)
        assert ended.state == "expired"


async def test_a_link_takes_one_decision(tmp_path: Path) -> None:
    async with Service(SqliteDatabase(tmp_path / "l.db")) as service:
        await service.ask_approval(Approval("a", "Go?"))
        link = await service.sign("a", "approve", by="ann", ttl=60)
        token = link.path.rsplit("/", 1)[1]
        approval, choice, by = await service.inbox.opened(token)
        assert (approval.id, choice, by) == ("a", "approve", "ann")
        said, _, seal = token.partition(".")
        spoil: list[Callable[[], str]] = [
            lambda: said[:-2] + "AA." + seal,
            lambda: f"{said}.{'A' * len(seal)}",
            lambda: said,
            lambda: "%%%",
            lambda: "",
        ]
        for spoilt in spoil:
            with pytest.raises(Unauthorized):
                await service.inbox.opened(spoilt())
        brief = await service.sign("a", "approve", by="ann", ttl=0.001)
        await asyncio.sleep(0.01)
        with pytest.raises(Unauthorized, match="run out"):
            await service.inbox.opened(brief.path.rsplit("/", 1)[1])
