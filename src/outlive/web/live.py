"""Streams that keep a page fresh (``text/event-stream``): parts of the page, when they have changed.

A stream ends when there is nothing more to come, when the browser leaves, or when the server stops. Where the
server behind it does not answer, it says so on the page and tries again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

from outlive.client import NotFound, RpcError, WorkflowServiceClient
from outlive.ledger.errors import LedgerError
from outlive.web import bounds
from outlive.web.contents import Whole, fetch_into
from outlive.web.follow import Follower
from outlive.web.links import Links
from outlive.web.render import Renderer
from outlive.web.views import run, runs
from outlive.web.views.groups import RunLink
from outlive.web.views.run import RunView
from outlive.web.views.runs import RunsQuery, RunsView

_RUNS_PARTS: Final = ("counts", "rows", "pager")
_RUN_PARTS: Final = ("header", "timeline", "pending", "values", "pages")
_CLOSED: Final = "event: closed\ndata: closed\n\n"
_COMMENT: Final = ": still here\n\n"
View = TypeVar("View")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")  # what ends a line of a stream


@dataclass(frozen=True, slots=True)
class Listed:
    """The events that a page lists: from ``first`` to ``last``. With ``follow`` new ones are added."""

    first: int
    last: int
    follow: bool


def _as_it_is(view: object) -> object:
    return view


def message(content: str, id: int | None = None) -> str:
    """One message of a stream."""
    head = f"id: {id}\n" if id is not None else ""
    return head + "".join(f"data: {line}\n" for line in _LINE_END.split(content)) + "\n"


class Live:
    """Makes the streams. :meth:`stop` ends them all."""

    def __init__(
        self,
        client: WorkflowServiceClient,
        renderer: Renderer,
        links: Links,
        now: Callable[[], datetime],
        whole: Whole,
    ) -> None:
        self._client = client
        self._renderer = renderer
        self._links = links
        self._now = now
        self._whole = whole
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End every stream, so that the server may end."""
        self._stopping.set()

    def runs(self, query: RunsQuery) -> AsyncIterator[str]:
        """A list of runs."""
        return self.watch("runs", _RUNS_PARTS, lambda: runs.load(self._client, query, self._now), _without_clock)

    async def watch(
        self,
        page: str,
        parts: tuple[str, ...],
        load: Callable[[], Awaitable[View]],
        still: Callable[[View], object] = _as_it_is,
    ) -> AsyncIterator[str]:
        """A page that is looked at again, ever more seldom while nothing changes.

        ``parts`` are templates ``page/part.html``, each for the element with that id. ``still`` is the view
        without what moves by itself, such as a clock. Errors that ``load`` raises are shown, and it tries again.
        """
        seen: object = None
        silent = 0.0
        tick = bounds.LIST_TICK[0]
        while not self._stopping.is_set():
            try:
                view = await load()
                found = still(view)
                content = self._parts(page, parts, view) + self._state("live")
            except (RpcError, LedgerError) as error:
                found, content = error.message, self._state("lost", error.message)
            if found != seen:
                seen, silent, tick = found, 0.0, bounds.LIST_TICK[0]
                yield message(content)
            elif silent >= bounds.KEEP_ALIVE:
                silent = 0.0
                yield _COMMENT
            await self._wait(None, tick)
            silent += tick
            tick = min(tick * 2, bounds.LIST_TICK[1])

    async def run(self, link: RunLink, listed: Listed) -> AsyncIterator[str]:
        """One run, until it is closed: first as it stands, then after news, and as its clock moves on."""
        while not self._stopping.is_set():
            follower = Follower(self._client, link, listed.last)
            follower.start()
            try:
                async for view, content, now_listed in self._states(follower, listed):
                    listed = now_listed
                    yield message(content, listed.last)
                    if not view.live:
                        yield _CLOSED
                        return
            except NotFound:
                yield _CLOSED
                return
            except RpcError as error:
                yield message(self._state("lost", error.message))
                await self._wait(None, bounds.LIST_TICK[0])
            finally:
                await follower.stop()

    async def _states(self, follower: Follower, listed: Listed) -> AsyncIterator[tuple[RunView, str, Listed]]:
        """The run again and again, each time with what to change on the page. Raises RpcError."""
        address = self._links.run(follower.link)
        while not self._stopping.is_set():
            described, reasons = await run.standing(self._client, follower.link, self._now())
            clock = asyncio.get_running_loop().time
            while follower.last_id < described.workflow_execution_info.history_length and not follower.ended:
                follower.news.clear()
                if not await self._wait(follower.news, bounds.HISTORY_WAIT):
                    return
            follower.check()
            follower.news.clear()
            await fetch_into((follower.fold.first, follower.fold.closing), self._whole)
            began = clock()
            lines = [e for e in follower.lines if e.event_id > listed.last] if listed.follow else []
            last = lines[-1].event_id if lines else listed.last
            shown = run.Shown(lines, listed.first, last)
            namespace, server = follower.link.namespace, self._client.address
            view = run.view(described, reasons, follower.fold, shown, namespace, server, address, self._now())
            listed = replace(listed, last=last)
            content = self._run_content(view)
            gap = max(bounds.LIVE_GAP, (clock() - began) * bounds.LIVE_SHARE)
            yield view, content, listed
            if await self._wait(None, gap):
                await self._wait(follower.news, _tick(view))

    def _run_content(self, view: RunView) -> str:
        content = self._parts("run", _RUN_PARTS, view)
        if view.history.events:
            lines = self._renderer.html("run/events.html", events=view.history.events)
            content += f'<hx-partial hx-target="#events" hx-swap="beforeend">{lines}</hx-partial>'
        return content + self._state("live" if view.live else "closed")

    def _parts(self, page: str, names: tuple[str, ...], view: object) -> str:
        """Parts of a page, each for the element that has its name as id, whose unchanged children stay."""
        return "".join(
            f'<hx-partial hx-target="#{name}" hx-swap="innerMorph">'
            f"{self._renderer.html(f'{page}/{name}.html', view=view)}</hx-partial>"
            for name in names
        )

    def _state(self, state: str, words: str = "") -> str:
        content = self._renderer.html("live.html", state=state, words=words)
        return f'<hx-partial hx-target="#live" hx-swap="innerMorph">{content}</hx-partial>'

    async def _wait(self, event: asyncio.Event | None, seconds: float) -> bool:
        """Wait for the event or the time to pass. False when the server stops, or the event did not come."""
        waits = [asyncio.ensure_future(one.wait()) for one in (self._stopping, event) if one is not None]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        return not self._stopping.is_set() and (event is None or event.is_set())


def _without_clock(view: RunsView) -> RunsView:
    """The list without what changes by itself: the page's own clock goes on with it."""
    return replace(view, rows=[replace(row, seconds=None) if row.close is None else row for row in view.rows])


def _tick(view: RunView) -> float:
    """Seconds until an open run is looked at again without news: when its bars have moved by a hundredth."""
    soonest, latest = bounds.LIVE_TICK
    return min(max((view.header.seconds or 0) / 100, soonest), latest)
