"""One request, from its body to its answer: the script, the limits, the made-up answer, the log."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from outlive.testing.providers.asks import Answer, Ask, Json, Problem
from outlive.testing.providers.making import answer
from outlive.testing.providers.protocol import Frame, WireProtocol
from outlive.testing.providers.records import Log, Record
from outlive.testing.providers.script import Behaviour, Script
from outlive.testing.providers.windows import RateLimits, Standings, Windows

NO_LIMITS = Standings()


class CutConnection(Exception):
    """The connection is cut here, as the script says."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under way."""

    ask: Ask
    ident: str
    key: str
    idempotency: str
    began: float
    behaviour: Behaviour


class Desk:
    """Answers requests of every protocol. `scale`: seconds of the provider's clock in one real second."""

    def __init__(self, limits: RateLimits, script: Script, log: Log, *, scale: float, context: int) -> None:
        self.script = script
        self.log = log
        self.scale = scale
        self.context = context
        self.windows = Windows(limits, lambda: time.monotonic() * scale)
        self._numbers = itertools.count(1)
        self._prefix = f"{time.time_ns():x}"

    def new_id(self) -> str:
        """An id that no other request has, also after a restart."""
        return f"{self._prefix}{next(self._numbers):06d}"

    async def pause(self, seconds: float) -> None:
        """Wait so long by the provider's clock."""
        if seconds:
            await asyncio.sleep(seconds / self.scale)

    async def respond(self, request: Request, protocol: WireProtocol) -> Response:
        """Answer one request."""
        ident, began = self.new_id(), time.time()
        key = key_of(request)
        ask: Ask | None = None
        try:
            ask = protocol.read(await body_of(request))
            if not key:
                raise Problem("auth", "You didn't provide an API key.")
            behaviour = self.script.behaviour(ask)
            idempotency = request.headers.get("idempotency-key", "")
            asked = Asked(ask, ident, key, idempotency, began, behaviour)
            await self.pause(behaviour.delay)
            said = self._decide(asked)
        except Problem as problem:
            return self._refuse(protocol, problem, ask, ident, key, began)
        return self._deliver(protocol, asked, said)

    def _decide(self, asked: Asked) -> Answer:
        behaviour, ask = asked.behaviour, asked.ask
        if behaviour.problem is not None:
            message = behaviour.message or f"The script answers this with {behaviour.problem}."
            after = None if behaviour.retry_after is None else behaviour.retry_after / self.scale
            raise Problem(behaviour.problem, message, status=behaviour.status, retry_after=after)
        said = answer(ask, behaviour, self.context)
        wait = self.windows.admit(asked.key, ask.model, said.usage.input + said.usage.output)
        if wait is not None:
            raise Problem("rate_limit", f"Rate limit reached for {ask.model}.", retry_after=wait / self.scale)
        return said

    def standings(self, ask: Ask | None, key: str) -> Standings:
        return NO_LIMITS if ask is None else self.windows.standings(key, ask.model)

    def _refuse(
        self, protocol: WireProtocol, problem: Problem, ask: Ask | None, ident: str, key: str, began: float
    ) -> Response:
        request_id = f"req_{ident}"
        headers = protocol.headers(request_id, self.standings(ask, key), self.scale, time.time())
        if problem.retry_after is not None:
            headers["retry-after"] = f"{problem.retry_after:.3f}".rstrip("0").rstrip(".")
            headers["retry-after-ms"] = str(max(round(problem.retry_after * 1000), 1))
        api, model = ("", "") if ask is None else (ask.api, ask.model)
        said = "" if ask is None else ask.prompt
        self.log.write(
            Record(
                request_id, api, model, problem.status, error=problem.kind, key=key[-4:], prompt=said, began=began,
                ended=time.time(),
            )
        )  # fmt: skip
        return JSONResponse(protocol.error(problem, request_id), problem.status, headers)

    def _deliver(self, protocol: WireProtocol, asked: Asked, said: Answer) -> Response:
        ask, behaviour = asked.ask, asked.behaviour
        now = time.time()
        headers = protocol.headers(f"req_{asked.ident}", self.standings(ask, asked.key), self.scale, now)
        record = self.record(asked, said)
        if ask.stream:
            frames = list(protocol.frames(ask, said, asked.ident, now))
            parts = self._stream(frames, behaviour, record)
            return StreamingResponse(parts, headers=headers, media_type="text/event-stream")
        body = json.dumps(protocol.whole(ask, said, asked.ident, now)).encode()
        if behaviour.malformed:
            body = b"{" + body[: len(body) // 2]
        if behaviour.cut_after is not None:
            headers["content-length"] = str(len(body))
            return StreamingResponse(self._half(body, record), headers=headers, media_type="application/json")
        self.log.write(record)
        return Response(body, headers=headers, media_type="application/json")

    def record(self, asked: Asked, said: Answer, batch: str = "") -> Record:
        """The log's line about an answer."""
        made, used = json.dumps([call.arguments for call in said.calls]) if said.calls else "", said.usage
        return Record(
            f"req_{asked.ident}", asked.ask.api, asked.ask.model, 200, used.input, used.output, used.cached,
            used.reasoning, stream=asked.ask.stream, batch=batch, key=asked.key[-4:],
            idempotency_key=asked.idempotency, prompt=asked.ask.prompt, answer=said.text + made, began=asked.began,
            ended=time.time(),
        )  # fmt: skip

    async def _half(self, body: bytes, record: Record) -> AsyncIterator[bytes]:
        self.log.write(replace(record, cut=True, ended=time.time()))
        yield body[: len(body) // 2]
        raise CutConnection

    async def _stream(self, frames: list[Frame], behaviour: Behaviour, record: Record) -> AsyncIterator[bytes]:
        spoken, whole = 0, False
        try:
            for frame in frames:
                if frame.spoken or behaviour.cut_after == 0:
                    if behaviour.cut_after is not None and spoken >= behaviour.cut_after:
                        raise CutConnection
                    await self.pause(behaviour.chunk_delay if spoken else 0.0)
                    spoken += frame.spoken
                yield b"data: {not json\n\n" if behaviour.malformed and frame.spoken else frame.data
            whole = True
        finally:
            self.log.write(replace(record, cut=not whole, ended=time.time()))

    def in_batch(self, protocol: WireProtocol, body: Mapping[str, Json], key: str, batch: str) -> tuple[int, Json, str]:
        """One item of a batch: its status, body and request id."""
        ident = self.new_id()
        try:
            ask = replace(protocol.read(body), stream=False)
            asked = Asked(ask, ident, key, "", time.time(), self.script.behaviour(ask))
            if asked.behaviour.problem is not None:
                raise Problem(asked.behaviour.problem, asked.behaviour.message or "The script refuses this item.")
            said = answer(ask, asked.behaviour, self.context)
        except Problem as problem:
            status = problem.status
            self.log.write(Record(f"req_{ident}", "", "", status, error=problem.kind, batch=batch, began=time.time()))
            return status, protocol.error(problem, f"req_{ident}"), f"req_{ident}"
        self.log.write(self.record(asked, said, batch))
        return 200, protocol.whole(ask, said, ident, time.time()), f"req_{ident}"


def key_of(request: Request) -> str:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    return request.headers.get("x-api-key", "") or bearer


async def body_of(request: Request) -> Mapping[str, Json]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise Problem("bad_request", "We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise Problem("bad_request", "The body must be a JSON object.")
    return body
