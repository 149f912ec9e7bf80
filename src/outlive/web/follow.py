"""Following one run: its history, read as it grows by long polls, folded as it comes."""

from __future__ import annotations

import asyncio
import contextlib

from temporalio.api.history.v1 import HistoryEvent

from outlive.client import WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import history
from outlive.web.views.fold import RunFold
from outlive.web.views.groups import RunLink


class Follower:
    """Reads in a task of its own, from :meth:`start` to :meth:`stop`. ``news`` is set when something came.

    ``lines`` holds the events after the last one that a page lists, as far as the page may still grow.
    """

    def __init__(self, client: WorkflowServiceClient, link: RunLink, listed: int) -> None:
        self.link = link
        self.fold = RunFold()
        self.lines: list[HistoryEvent] = []
        self.last_id = 0
        self.news = asyncio.Event()
        self._client = client
        self._listed = listed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read, from the first event on."""
        self._task = asyncio.create_task(self._read(), name=f"follow {self.link.run_id}")

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to read: the run is closed, or reading failed."""
        return self._task is not None and self._task.done()

    def check(self) -> None:
        """Raise what ended the reading, if it was an error (RpcError)."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def _read(self) -> None:
        try:
            async for page in history.pages(self._client, self.link, wait=True):
                for event in page:
                    self._take(event)
                if page:
                    self.news.set()
        finally:
            self.news.set()

    def _take(self, event: HistoryEvent) -> None:
        self.last_id = event.event_id
        if event.event_id <= bounds.FOLD_EVENTS:
            self.fold.add(event)
        if self._listed < event.event_id <= self._listed + bounds.HISTORY_LIVE:
            self.lines.append(event)

    async def stop(self) -> None:
        """End the reading."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
