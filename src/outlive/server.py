"""The composition root: the only place that names the adapters and puts them together."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from outlive.api.clusters import Addresses
from outlive.api.handlers import Handlers
from outlive.api.http2.server import Http2Server
from outlive.api.services import handlers
from outlive.asgi import AsgiServer
from outlive.clock import Clock, SkippingClock, SystemClock, new_id
from outlive.config import ServerConfig, TimeSkipping
from outlive.core.state import State
from outlive.core.visibility import VisibilityRecord
from outlive.dynamic.config import DynamicConfig
from outlive.dynamic.files import Watch, read_file
from outlive.engine.descriptions import record_of
from outlive.engine.engine import Engine
from outlive.engine.namespaces import TYPES_BY_NAME, Namespaces
from outlive.engine.runs import pending_of
from outlive.errors import NamespaceNotFound, StartupError
from outlive.http_post import post
from outlive.limits import HTTP_GRACE_S
from outlive.store.sqlite import SqliteStore
from outlive.store.writer import GroupWriter

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from outlive.ledger.run import RunningLedger
    from outlive.web.serve import WebServer

LEDGER_OFFSET = 2000  # the ledger's port is the gRPC port plus this, unless told otherwise


class Server:
    """An outlive server: `start`, `stop`, and `wait_failed` for a disk that fails under it."""

    def __init__(self, config: ServerConfig, clock: Clock | None = None) -> None:
        self.config = config
        self.port = config.port
        self._waits = clock or SystemClock()
        skips = config.time_skipping != TimeSkipping.NONE
        self._clock = SkippingClock(self._waits) if skips else self._waits
        self._failed: asyncio.Future[BaseException] | None = None
        self._store: SqliteStore | None = None
        self._writer: GroupWriter | None = None
        self._engine: Engine | None = None
        self._grpc: Http2Server | None = None
        self._watch: Watch | None = None
        self._http: AsgiServer | None = None
        self._web: WebServer | None = None
        self._ledger: RunningLedger | None = None

    async def start(self) -> None:
        """Open the store and listen. Raises StartupError with a sentence for people."""
        self._failed = asyncio.get_running_loop().create_future()
        self._store = SqliteStore(self.config.database, self.config.sqlite_pragmas)
        try:
            await self._start_on(self._store)
        except BaseException:
            await self.stop(0)
            raise

    async def _start_on(self, store: SqliteStore) -> None:
        writer = GroupWriter(store, visibility_of=self._visibility_of, pending_of=pending_of, on_failure=self._fail)
        self._writer = writer
        config = self._read_config()
        namespaces = Namespaces(store, writer, new_id, config)
        attributes = {}
        for name, kind in self.config.search_attributes.items():
            if kind not in TYPES_BY_NAME:
                known = ", ".join(TYPES_BY_NAME)
                raise StartupError(f"search attribute {name} has the unknown type {kind}: use one of {known}.")
            attributes[name] = TYPES_BY_NAME[kind]
        for name in dict.fromkeys(("default", *self.config.namespaces)):
            namespaces.ensure(name, attributes)
        await writer.flush()
        engine = Engine(
            store,
            writer,
            self._clock,
            namespaces,
            self._waits,
            config,
            post,
        )
        if engine.time_skipping is not None and self.config.time_skipping == TimeSkipping.LOCKED:
            engine.time_skipping.lock()
        writer.on_events = engine.runs.on_events
        writer.on_deleted = self._on_deleted
        self._engine = engine
        table = handlers(engine, self._waits, self._addresses)
        self._grpc = Http2Server(table, self._waits, self.config.ip, self.config.port)
        await self._grpc.start()
        self.port = self._grpc.port
        engine.begin()
        if self.config.http_port is not None:
            await self._start_http(table, config, self.config.http_port)
        if self.config.ledger:
            self._ledger = await self._start_ledger()
        if self.config.ui_port is not None:
            await self._start_web(self.config.ui_port)

    def _addresses(self) -> Addresses:
        ip = self.config.ip
        return Addresses(f"{ip}:{self.port}", f"{ip}:{self._http.port}" if self._http is not None else "")

    def _read_config(self) -> DynamicConfig:
        path = self.config.dynamic_config_file
        if path is None:
            return DynamicConfig(self.config.dynamic_config)
        config = DynamicConfig(self.config.dynamic_config, read_file(path))
        self._watch = Watch(path, config)
        self._watch.begin()
        return config

    def reload_config(self) -> None:
        """Read the file of the dynamic configuration again now."""
        if self._watch is not None:
            self._watch.reload()

    async def _start_http(self, table: Handlers, config: DynamicConfig, port: int) -> None:
        def make_app() -> ASGIApp:
            from outlive.api.http_json.app import HttpApi

            return HttpApi(table, self._waits, config)

        http = AsgiServer(
            make_app,
            self.config.ip,
            port,
            what="The HTTP API",
            mend="give another port with --http-port",
            grace_s=HTTP_GRACE_S,
        )
        await http.start()
        self._http = http

    async def _start_ledger(self) -> RunningLedger:
        """On a file beside the server's; nothing of it is loaded before somebody uses it."""
        from outlive.ledger.run import RunningLedger

        database = self.config.database
        beside = database.with_name(f"{database.stem}.ledger{database.suffix}") if database is not None else None

        def on(port: int) -> RunningLedger:
            secret = self.config.ledger_secret
            return RunningLedger(beside, self.config.ledger_ip, port, secret=secret, lazy=True, on_failure=self._fail)

        wanted = self.config.ledger_port
        ledger = on(wanted if wanted is not None else _beyond(self.port, LEDGER_OFFSET))
        try:
            await ledger.start()
        except StartupError:
            if wanted is not None or not await _in_use(self.config.ledger_ip, ledger.port):
                raise
            ledger = on(0)  # the server starts all the same, and says where the ledger is
            await ledger.start()
        return ledger

    async def _start_web(self, port: int) -> None:
        """The pages come after the service, so that what they import does not hold it up."""
        from outlive.web.serve import WebServer

        address = _reached(self.config.ip, self.port)
        ledger = f"http://{_reached(self.config.ledger_ip, self._ledger.port)}" if self._ledger is not None else ""
        secret = self.config.ledger_secret
        web = WebServer(
            address, self.config.ui_ip, port, self.config.ui_public_path, ledger, secret, hosts=self.config.ui_hosts
        )
        await web.start()
        self._web = web

    @property
    def http_port(self) -> int | None:
        """The port of the HTTP API; None without it."""
        return self._http.port if self._http is not None else None

    @property
    def ui_port(self) -> int | None:
        """The port of the pages; None without them."""
        return self._web.port if self._web is not None else None

    @property
    def ledger_port(self) -> int | None:
        """The port of the ledger; None without it."""
        return self._ledger.port if self._ledger is not None else None

    def _visibility_of(self, state: State) -> VisibilityRecord:
        assert self._engine is not None
        namespace = self._engine.namespaces.by_id(state.start.namespace_id)
        return record_of(state, namespace.attribute_types)

    def _on_deleted(self, namespace_id: str, run_id: str) -> None:
        """Its contents need not be kept. Those of a deleted namespace are left to `outlive ledger gc`."""
        if self._ledger is None or self._engine is None:
            return
        with contextlib.suppress(NamespaceNotFound):
            self._ledger.forget_run(self._engine.namespaces.by_id(namespace_id).name, run_id)

    async def add_namespace(self, name: str) -> None:
        """Make a namespace, unless it is there."""
        assert self._engine is not None, "the server has not been started"
        self._engine.namespaces.ensure(name, {})
        await self._engine.namespaces.committed()

    def _fail(self, error: BaseException) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(error)

    async def wait_failed(self) -> BaseException:
        """Wait until the server cannot go on, and say why."""
        assert self._failed is not None, "the server has not been started"
        return await asyncio.shield(self._failed)

    async def stop(self, grace_s: float = 4.0) -> None:
        """Let calls under way end, write what is waiting, and let the file go."""
        if self._watch is not None:
            self._watch.stop()
        if self._web is not None:
            await self._web.stop()
        if self._ledger is not None:
            await self._ledger.stop(grace_s)
        if self._engine is not None:
            self._engine.stop()
        if self._http is not None:
            await self._http.stop()
        if self._grpc is not None:
            await self._grpc.stop(grace_s)
        if self._writer is not None:
            await self._writer.close()
        if self._store is not None:
            self._store.close()


def _reached(ip: str, port: int) -> str:
    """Where this process itself reaches what listens there."""
    host = "127.0.0.1" if ip in ("0.0.0.0", "::") else ip
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _beyond(port: int, offset: int) -> int:
    """The port that much further, or any free one where there is none."""
    return port + offset if port + offset <= 65535 else 0


async def _in_use(ip: str, port: int) -> bool:
    """Whether somebody else listens there."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(ip, port), 1)
    except OSError:
        return False
    writer.close()
    return True
