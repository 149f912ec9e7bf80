"""The provider as a server: its addresses, and a context that runs it inside a test's event loop."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outlive.testing.providers.answering import NO_LIMITS, CutConnection, Desk, body_of
from outlive.testing.providers.anthropic_messages import Messages
from outlive.testing.providers.asks import Json, Problem
from outlive.testing.providers.batches import Batches
from outlive.testing.providers.embeddings import Embeddings
from outlive.testing.providers.openai_chat import Chat
from outlive.testing.providers.openai_responses import Responses
from outlive.testing.providers.protocol import WireProtocol
from outlive.testing.providers.records import Log, Record
from outlive.testing.providers.script import Behaviour, Rule, Script, rules_of
from outlive.testing.providers.windows import RateLimits
from outlive.uvicorn_server import EmbeddedServer

CONTEXT = 200_000  # tokens that fit a model, unless told otherwise
BATCH_SECONDS = 60.0
Endpoint = Callable[[Request], Awaitable[Response]]


class FakeProvider:
    """A model provider for tests: OpenAI's and Anthropic's protocols over real HTTP, doing what its script says.

        async with FakeProvider(limits=RateLimits(requests=100)) as provider:
            provider.on(Behaviour(text="Hello"), model="gpt-*")
            client = AsyncOpenAI(base_url=provider.openai_url, api_key="test")

    `scale`: how many times faster than the real one its clock goes. `log_path`: records are appended there too.
    """

    def __init__(
        self,
        *,
        limits: RateLimits | None = None,
        scale: float = 1.0,
        context: int = CONTEXT,
        batch_seconds: float = BATCH_SECONDS,
        log_path: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.script = Script()
        self._log = Log(log_path)
        self.desk = Desk(limits or RateLimits(), self.script, self._log, scale=scale, context=context)
        self.app = application(self.desk, batch_seconds)
        self._address = (host, port)
        self._ending = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self.url = ""

    @property
    def openai_url(self) -> str:
        """What OpenAI's client takes as base_url."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """What Anthropic's client takes as base_url."""
        return self.url

    @property
    def records(self) -> list[Record]:
        """Every request that was answered, in order."""
        return self._log.records

    def on(
        self,
        behaviour: Behaviour,
        *,
        model: str = "",
        prompt: str = "",
        api: str = "",
        turn: int | None = None,
        after_tool: bool | None = None,
        times: int | None = None,
    ) -> Rule:
        """Add a rule before those that are there; see `Rule` for what the filters mean."""
        return self.script.add(Rule(behaviour, api, model, prompt, turn, after_tool, times))

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        listening = socket.create_server(self._address)
        logging.getLogger("uvicorn.error").addFilter(_not_a_cut)
        server = EmbeddedServer(self.app, self._ending, 1.0)
        self._serving = asyncio.create_task(server.serve([listening]), name="fake-provider")
        self.url = f"http://{self._address[0]}:{listening.getsockname()[1]}"

    async def stop(self) -> None:
        """Answer what is under way, for a second, and stop listening."""
        self._ending.set()
        if self._serving is not None:
            with suppress(asyncio.CancelledError):
                await self._serving
        logging.getLogger("uvicorn.error").removeFilter(_not_a_cut)
        self._log.close()

    async def __aenter__(self) -> FakeProvider:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _not_a_cut(record: logging.LogRecord) -> bool:
    """A connection that the script cuts is no error of the server's."""
    return not (record.exc_info and isinstance(record.exc_info[1], CutConnection))


def application(desk: Desk, batch_seconds: float = BATCH_SECONDS) -> Starlette:
    """Every address of the provider."""
    chat, responses, messages, embeddings = Chat(), Responses(), Messages(), Embeddings()
    protocols: dict[str, WireProtocol] = {
        "/v1/chat/completions": chat,
        "/v1/responses": responses,
        "/v1/messages": messages,
        "/v1/embeddings": embeddings,
    }
    batches = Batches(desk, protocols, batch_seconds)
    control = _Control(desk)

    async def kept_response(request: Request) -> Response:
        found = responses.wholes.get(request.path_params["id"])
        if found is None:
            raise Problem("not_found", "Response not found.")
        return JSONResponse(found)

    by_openai, by_anthropic = _caught(desk, chat), _caught(desk, messages)
    routes = [Route(path, _asked(desk, protocol), methods=["POST"]) for path, protocol in protocols.items()]
    routes += [
        Route("/v1/responses/{id}", by_openai(kept_response), methods=["GET"]),
        Route("/v1/files", by_openai(batches.upload), methods=["POST"]),
        Route("/v1/files/{id}", by_openai(batches.file), methods=["GET"]),
        Route("/v1/files/{id}/content", by_openai(batches.file), methods=["GET"]),
        Route("/v1/batches", by_openai(batches.create), methods=["POST"]),
        Route("/v1/batches", by_openai(batches.listed), methods=["GET"]),
        Route("/v1/batches/{id}", by_openai(batches.one), methods=["GET"]),
        Route("/v1/batches/{id}/cancel", by_openai(batches.one), methods=["POST"]),
        Route("/v1/messages/batches", by_anthropic(batches.create_messages), methods=["POST"]),
        Route("/v1/messages/batches", by_anthropic(batches.listed_messages), methods=["GET"]),
        Route("/v1/messages/batches/{id}", by_anthropic(batches.one_messages), methods=["GET"]),
        Route("/v1/messages/batches/{id}/cancel", by_anthropic(batches.one_messages), methods=["POST"]),
        Route("/v1/messages/batches/{id}/results", by_anthropic(batches.one_messages), methods=["GET"]),
        Route("/control/rules", control.rules, methods=["GET", "POST", "DELETE"]),
        Route("/control/log", control.log, methods=["GET"]),
    ]
    return Starlette(routes=routes)


def _asked(desk: Desk, protocol: WireProtocol) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return await desk.respond(request, protocol)

    return endpoint


def _caught(desk: Desk, protocol: WireProtocol) -> Callable[[Endpoint], Endpoint]:
    """Endpoints whose problems are told in the protocol's words."""

    def wrapped(endpoint: Endpoint) -> Endpoint:
        async def caught(request: Request) -> Response:
            request_id = f"req_{desk.new_id()}"
            headers = protocol.headers(request_id, NO_LIMITS, desk.scale, time.time())
            try:
                response = await endpoint(request)
            except Problem as problem:
                return JSONResponse(protocol.error(problem, request_id), problem.status, headers)
            response.headers.update(headers)
            return response

        return caught

    return wrapped


class _Control:
    """Rules and log, for tests in another process."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def rules(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._desk.script.rules.clear()
        if request.method == "POST":
            try:
                body: Json = await body_of(request)
                self._desk.script.rules[:0] = rules_of(body.get("rules"))
            except (ValueError, Problem) as problem:
                return JSONResponse({"error": str(problem)}, 400)
        return JSONResponse({"rules": len(self._desk.script.rules)})

    async def log(self, request: Request) -> Response:
        since = int(request.query_params.get("since", "0"))
        return JSONResponse({"records": [asdict(record) for record in self._desk.log.records[since:]]})
