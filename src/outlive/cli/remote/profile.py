"""Where the server is: flags, environment variables, and the configuration file that SDKs share.

The names are those of Temporal's command line, so that one setting serves both. A flag counts before a
variable, a variable before the file (`temporal.toml` in the user's configuration folder, or what
TEMPORAL_CONFIG_FILE names; its `[profile.NAME]` tables).
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

DEFAULT_ADDRESS = "127.0.0.1:7233"


@dataclass(frozen=True, slots=True)
class Profile:
    """How to reach a server. `tls` None: only with an API key."""

    address: str = DEFAULT_ADDRESS
    namespace: str = "default"
    api_key: str = ""
    tls: bool | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


def load(name: str, file: Path | None, environment: Mapping[str, str] = os.environ) -> Profile:
    """The profile of that name. Raises click.UsageError where it, or a file that was named, is missing."""
    path = file or _default_file(environment)
    if path is None or not path.is_file():
        if file is not None or name != "default":
            raise click.UsageError(f"there is no configuration file {path}: leave out --profile and --config-file")
        return Profile()
    try:
        profiles: Any = tomllib.loads(path.read_text()).get("profile", {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from None
    if name not in profiles:
        if name == "default":
            return Profile()
        known = ", ".join(sorted(profiles)) or "none"
        raise click.UsageError(f"{path} has no profile {name}: it has {known}")
    found = profiles[name]
    tls = found.get("tls", {})
    return Profile(
        address=found.get("address", DEFAULT_ADDRESS),
        namespace=found.get("namespace", "default"),
        api_key=found.get("api_key", ""),
        tls=not tls.get("disabled", False) if tls else None,
        ca=_path(tls, "server_ca_cert_path"),
        cert=_path(tls, "client_cert_path"),
        key=_path(tls, "client_key_path"),
    )


def _path(table: Mapping[str, Any], key: str) -> Path | None:
    return Path(table[key]).expanduser() if key in table else None


def _default_file(environment: Mapping[str, str]) -> Path | None:
    named = environment.get("TEMPORAL_CONFIG_FILE")
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = environment.get("APPDATA")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "temporalio" / "temporal.toml" if base else None
