"""The model-call layer: every call is logged before it is made and after it came back, and made once.

The log is an append-only file, flushed to disk line by line, that knows nothing of the server or of the
store. It is the witness: whatever either of them believes, a line in it is a call that was made.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from examples.research_pipeline.metering import Ended, Metering
from examples.research_pipeline.models import Reply, Usage
from examples.research_pipeline.store.trace import Trace

Answer = TypeVar("Answer", bound=BaseModel)


class Event(StrEnum):
    """What a line of the log says about a call."""

    BEGIN = "begin"
    """The request is about to be sent."""
    END = "end"
    """The answer is here, and stored."""
    FAILED = "failed"
    """No usable answer: an error, or a cancelled attempt."""
    REUSED = "reused"
    """No request was sent: the store already had the answer under this key."""
    CACHED = "cached"
    """No request was sent: an earlier run had asked the same, and the ledger kept the answer."""


@dataclass(frozen=True)
class Line:
    """One line of the log."""

    time: float
    event: Event
    key: str
    model: str
    pid: int
    detail: str = ""


class CallLog:
    """The append-only file. Lines of several processes do not mix: each is one write to its end."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, event: Event, key: str, model: str, detail: str = "") -> None:
        """Append a line and return once it is on the disk."""
        line = Line(time.time(), event, key, model, os.getpid(), detail)
        os.write(self._file, (json.dumps(asdict(line)) + "\n").encode())
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_log(path: Path) -> list[Line]:
    """The lines written so far. Raises ValueError on a line that is none of ours."""
    if not path.exists():
        return []
    lines = []
    for number, text in enumerate(path.read_text().splitlines(), 1):
        try:
            fields = json.loads(text)
            lines.append(Line(**{**fields, "event": Event(fields["event"])}))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} line {number} is not a line of a call log: {error}") from error
    return lines


class ModelCalls:
    """Makes model calls once per idempotency key."""

    def __init__(self, log: CallLog, trace: Trace, metering: Metering | None = None) -> None:
        self._log = log
        self._trace = trace
        self._metering = metering

    async def once(
        self,
        run: str,
        step: str,
        key: str,
        model: str,
        answer_type: type[Answer],
        call: Callable[[], Awaitable[Reply[Answer]]],
        prompt: str = "",
    ) -> Answer:
        """The answer stored under `key`, or that of `call`, which is then stored.

        With a ledger, a call waits for quota and budget, and what `prompt` has been answered before is not asked again.

        Between an answer's arrival and its storing a crash still costs a second call: nobody but the
        provider could close that gap.
        """
        stored = self._trace.answer(key)
        if stored is not None:
            self._log.write(Event.REUSED, key, model)
            return answer_type.model_validate_json(stored)
        if self._metering is None:
            return await self._made(run, step, key, model, call)
        kept = await self._metering.cached(run, step, key, prompt)
        if kept is not None:
            self._trace.save_call(key, run, step, model, Usage(), 0.0, kept)
            self._log.write(Event.CACHED, key, model)
            return answer_type.model_validate_json(kept)
        async with self._metering.turn(run, step, key, prompt) as ended:
            return await self._made(run, step, key, model, call, ended)

    async def _made(
        self,
        run: str,
        step: str,
        key: str,
        model: str,
        call: Callable[[], Awaitable[Reply[Answer]]],
        ended: Ended | None = None,
    ) -> Answer:
        async with self.logged(run, step, key, model) as finish:
            reply = await call()
            finish(reply.usage, reply.answer.model_dump_json())
        if ended is not None:
            ended.usage, ended.answer = reply.usage, reply.answer.model_dump_json()
        return reply.answer

    @asynccontextmanager
    async def logged(
        self, run: str, step: str, key: str, model: str
    ) -> AsyncIterator[Callable[[Usage, str | None], None]]:
        """Log a call around the body, which ends by passing its usage (and answer) to what it is given."""
        self._log.write(Event.BEGIN, key, model)
        started = time.perf_counter()

        def finish(usage: Usage, answer: str | None) -> None:
            self._trace.save_call(key, run, step, model, usage, (time.perf_counter() - started) * 1000, answer)

        try:
            yield finish
        except BaseException as error:
            self._log.write(Event.FAILED, key, model, f"{type(error).__name__}: {error}"[:500])
            raise
        # Only now: an `end` in the log means that no attempt will ever need to call again.
        self._log.write(Event.END, key, model)
