"""The file of the dynamic configuration, in Temporal's format:

limit.blobSize.error:
  - value: 1048576
    constraints:
      namespace: small
  - value: 2097152
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from outlive.dynamic.config import DynamicConfig, Value, Where
from outlive.errors import StartupError
from outlive.limits import CONFIG_FILE_POLL, SECOND

log = logging.getLogger(__name__)
_CONSTRAINTS = {
    "namespace": "namespace",
    "taskqueuename": "task_queue",
    "tasktype": "task_type",
    "taskqueuetype": "task_type",
}


def read_file(path: Path) -> dict[str, list[Value]]:
    """The values by key. Raises StartupError with what is wrong and where."""
    import yaml  # only where a file is given

    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise StartupError(f"the dynamic configuration {path} cannot be read ({error.strerror or error}).") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StartupError(f"the dynamic configuration {path} is not YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise StartupError(f"the dynamic configuration {path} is not a mapping of keys to lists of values.")
    return {str(name): _values(f"{path}, {name}", str(path), given) for name, given in content.items()}


def _values(where: str, source: str, given: object) -> list[Value]:
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise StartupError(f"{where}: expected a list of values, each as `- value: ...`.")
    return [_value(where, source, each) for each in given]


def _value(where: str, source: str, given: object) -> Value:
    if not isinstance(given, Mapping) or "value" not in given or not given.keys() <= {"value", "constraints"}:
        raise StartupError(f"{where}: expected `value`, and `constraints` if it does not count everywhere.")
    constraints = given.get("constraints") or {}
    if not isinstance(constraints, Mapping):
        raise StartupError(f"{where}: constraints are a mapping, such as `namespace: default`.")
    fields: dict[str, str] = {}
    for name, value in constraints.items():
        field = _CONSTRAINTS.get(str(name).lower())
        if field is None or not isinstance(value, str):
            known = "namespace, taskQueueName and taskQueueType"
            raise StartupError(f"{where}: constraint {name} is not known here; {known} are, each a text.")
        fields[field] = value
    return Value(given["value"], Where(**fields), source)


class Watch:
    """Reads the file again when it changes. A file that became bad is told and changes nothing."""

    def __init__(self, path: Path, config: DynamicConfig) -> None:
        self._path = path
        self._config = config
        self._seen = self._stamp()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(CONFIG_FILE_POLL / SECOND, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def reload(self) -> None:
        """Read the file now."""
        self._seen = self._stamp()
        try:
            self._config.replace_file(read_file(self._path))
        except StartupError as error:
            log.error("the dynamic configuration stays as it was: %s", error)

    def _look(self) -> None:
        if self._stamp() != self._seen:
            self.reload()
        self.begin()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size
