"""How a server is set up. Pure data: nothing here opens, reads or listens."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class TimeSkipping(enum.Enum):
    """Whether a server has a clock that clients can skip, by the protocol's TestService."""

    NONE = 0
    LOCKED = 1  # not before a client unlocks it, as SDKs expect of a test server
    UNLOCKED = 2


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Settings of one server."""

    ip: str = "127.0.0.1"
    port: int = 7233  # 0 picks a free one
    ui_port: int | None = None  # None: no web pages
    ui_ip: str = "127.0.0.1"
    ui_public_path: str = ""
    ui_hosts: tuple[str, ...] = ()  # names that the pages answer to on a loopback address, beside localhost
    http_port: int | None = None  # None: no HTTP API; 0 picks a free one
    ledger: bool = False  # whether a ledger runs beside it
    ledger_ip: str = "127.0.0.1"
    ledger_port: int | None = None  # None: the gRPC port plus 2000, or a free one; 0 picks a free one
    ledger_secret: str = field(default="", repr=False)
    database: Path | None = None  # None: in memory
    namespaces: tuple[str, ...] = ()  # besides "default"
    search_attributes: Mapping[str, str] = field(default_factory=dict)  # name -> type name
    dynamic_config: Mapping[str, object] = field(default_factory=dict)
    dynamic_config_file: Path | None = None  # read again when it changes
    sqlite_pragmas: Mapping[str, str] = field(default_factory=dict)
    time_skipping: TimeSkipping = TimeSkipping.NONE
