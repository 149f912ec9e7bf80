"""One command's call on a server: its flags, its client, its errors as sentences and exit codes.

Exit codes: 0 done; 1 the workflow or operation failed; 2 wrong usage; 3 no answer in time; 4 not allowed;
5 no server there; 130 interrupted.
"""

from __future__ import annotations

import asyncio
import functools
import getpass
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from outlive.cli.remote import profile as profiles
from outlive.cli.remote.output import FORMATS, TIME_FORMATS, Output

FAILED, USAGE, LATE, DENIED, UNREACHABLE = 1, 2, 3, 4, 5

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Session:
    """What a command works with. `client` is an `outlive.client.WorkflowServiceClient`."""

    client: Any
    namespace: str
    address: str
    output: Output
    seconds: float

    @property
    def identity(self) -> str:
        """Who did it, as histories say."""
        return f"outlive:{getpass.getuser()}@{socket.gethostname()}"


class Failed(Exception):
    """The command did its work and the answer is bad: the words, and what to type next."""

    def __init__(self, words: str, hint: str = "", code: int = FAILED) -> None:
        super().__init__(words)
        self.hint = hint
        self.code = code


def remote(command: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make a coroutine `command(session, ...)` a command with the flags of a connection."""

    @functools.wraps(command)
    def run(**values: Any) -> None:
        session_values = {name: values.pop(name) for name in _NAMES}
        try:
            asyncio.run(_run(command, session_values, values))
        except KeyboardInterrupt:
            raise SystemExit(130) from None

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


_FILE = click.Path(dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option("--address", envvar="TEMPORAL_ADDRESS", help="host:port of the server. [default: 127.0.0.1:7233]"),
    click.option("-n", "--namespace", envvar="TEMPORAL_NAMESPACE", help="Namespace. [default: default]"),
    click.option("-o", "--output", type=click.Choice(FORMATS), default="table", show_default=True, help="Form."),
    click.option("--time-format", type=click.Choice(TIME_FORMATS), default="relative", help="Times in tables."),
    click.option("--command-timeout", type=float, default=10.0, help="Seconds that a call may take."),
    click.option("--api-key", envvar="TEMPORAL_API_KEY", help="Key that the server asks for."),
    click.option("--tls/--no-tls", default=None, envvar="TEMPORAL_TLS", help="Encrypt. Default: with a key."),
    click.option("--tls-ca-path", type=_FILE, envvar="TEMPORAL_TLS_SERVER_CA_CERT_PATH"),
    click.option("--tls-cert-path", type=_FILE, envvar="TEMPORAL_TLS_CLIENT_CERT_PATH"),
    click.option("--tls-key-path", type=_FILE, envvar="TEMPORAL_TLS_CLIENT_KEY_PATH"),
    click.option("--profile", envvar="TEMPORAL_PROFILE", default="default", help="Profile in the file."),
    click.option("--config-file", type=_FILE, help="In the place of temporal.toml."),
)
_NAMES = (
    *("address", "namespace", "output", "time_format", "command_timeout", "api_key", "tls"),
    *("tls_ca_path", "tls_cert_path", "tls_key_path", "profile", "config_file"),
)


async def _run(command: Callable[..., Awaitable[None]], flags: dict[str, Any], values: dict[str, Any]) -> None:
    from outlive.client import RpcError

    session = _session(flags)
    try:
        await command(session, **values)
    except RpcError as error:
        _explain(error, session)
    except Failed as failure:
        _end(str(failure), failure.hint, failure.code)
    finally:
        await session.client.close()


def _session(flags: dict[str, Any]) -> Session:
    import grpc

    from outlive.client import WorkflowServiceClient

    found = profiles.load(flags["profile"], flags["config_file"])
    address = flags["address"] or found.address
    namespace = flags["namespace"] or found.namespace
    api_key = flags["api_key"] or found.api_key
    ca, cert, key = (flags[f"tls_{name}_path"] or getattr(found, name) for name in ("ca", "cert", "key"))
    tls = flags["tls"] if flags["tls"] is not None else found.tls
    credentials = None
    if tls or (tls is None and (api_key or ca or cert)):
        read = [path.read_bytes() if path is not None else None for path in (ca, key, cert)]
        credentials = grpc.ssl_channel_credentials(*read)
    client = WorkflowServiceClient(address, namespace, credentials=credentials, api_key=api_key or None)
    return Session(client, namespace, address, Output(flags["output"], flags["time_format"]), flags["command_timeout"])


def _explain(error: Any, session: Session) -> NoReturn:
    """Say what failed, and what to type next."""
    from outlive import client as errors

    match error:
        case errors.Unreachable():
            _end(
                f"no server answers at {session.address}: {error.message}",
                "start one: outlive server start",
                UNREACHABLE,
            )
        case errors.DeadlinePassed():
            _end(f"{session.address} did not answer in time", "try again with a larger --command-timeout", LATE)
        case errors.Refused():
            _end(f"the server does not allow it: {error.message}", "give it a key with --api-key", DENIED)
        case errors.NamespaceUnknown():
            hint = f"create it: outlive operator namespace create {session.namespace}"
            _end(f"there is no namespace {session.namespace}", hint, FAILED)
        case errors.Unsupported():
            _end(f"{session.address} cannot do that: {error.message}", "", FAILED)
        case _:
            _end(error.message, "", FAILED)


def _end(words: str, hint: str, code: int) -> NoReturn:
    click.echo(f"Error: {words}", err=True)
    if hint:
        click.echo(f"Hint: {hint}", err=True)
    raise SystemExit(code)
