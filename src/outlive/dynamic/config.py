"""Which value of a key counts where.

Rules
- A flag goes before the file, the file before the default.
- Of the file's values the one with the narrowest constraints that all hold counts: those on a task queue go
  before those on a namespace, those before none; of equals the first.
- Values are read when they are set, so a bad one is refused then and not where it is used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from outlive.dynamic.keys import KEYS, Key, find
from outlive.errors import StartupError

T = TypeVar("T")
log = logging.getLogger(__name__)
FLAG = "--dynamic-config-value"


@dataclass(frozen=True, slots=True)
class Where:
    """Where a value counts; empty for everywhere."""

    namespace: str = ""
    task_queue: str = ""
    task_type: str = ""  # Workflow or Activity

    @property
    def weight(self) -> int:
        return (4 if self.task_queue else 0) + (2 if self.task_type else 0) + (1 if self.namespace else 0)

    def holds(self, at: Where) -> bool:
        return all(
            mine in ("", theirs)
            for mine, theirs in (
                (self.namespace, at.namespace),
                (self.task_queue, at.task_queue),
                (self.task_type, at.task_type),
            )
        )

    def __str__(self) -> str:
        named = (("namespace", self.namespace), ("task queue", self.task_queue), ("task type", self.task_type))
        return ", ".join(f"{name} {value}" for name, value in named if value)


EVERYWHERE = Where()


@dataclass(frozen=True, slots=True)
class Value:
    """A value as it was given: not read yet."""

    value: object
    where: Where = EVERYWHERE
    source: str = FLAG


@dataclass(frozen=True, slots=True)
class Setting:
    """A value of a key, as it is listed."""

    key: Key[Any]
    value: Any
    where: Where
    source: str


class DynamicConfig:
    """The values of one server. `get` is cheap enough for every call."""

    def __init__(self, flags: Mapping[str, object] | None = None, filed: Mapping[str, Sequence[Value]] | None = None):
        self._flags = _read({name: [Value(value)] for name, value in (flags or {}).items()})
        self._filed = _read(filed or {})
        self._cache: dict[tuple[str, Where], Any] = {}
        self._followers: list[Callable[[], None]] = []

    def get(self, key: Key[T], namespace: str = "", task_queue: str = "", task_type: str = "") -> T:
        """The value of the key at this place."""
        where = Where(namespace, task_queue, task_type)
        cached = self._cache.get((key.name, where))
        if cached is None:
            cached = self._cache[key.name, where] = self._find(key, where)
        value: T = cached.value
        return value

    def _find(self, key: Key[Any], where: Where) -> Setting:
        name = key.name.lower()
        for given in (self._flags.get(name), self._filed.get(name)):
            best = max((each for each in given or () if each.where.holds(where)), key=_weight, default=None)
            if best is not None:
                return best
        return Setting(key, key.default, EVERYWHERE, "default")

    def replace_file(self, filed: Mapping[str, Sequence[Value]]) -> None:
        """Take over the file's new values, and tell who follows. Raises StartupError, and changes nothing then."""
        self._filed = _read(filed)
        self._cache.clear()
        for follower in self._followers:
            follower()

    def follow(self, follower: Callable[[], None]) -> None:
        """Have a function called when values may have changed."""
        self._followers.append(follower)

    def settings(self) -> Iterator[Setting]:
        """Every value that counts anywhere, by key: first the one that counts everywhere."""
        for name in sorted(KEYS, key=lambda each: KEYS[each].name.lower()):
            yield self._find(KEYS[name], EVERYWHERE)
            if name not in self._flags:
                yield from (each for each in self._filed.get(name, ()) if each.where != EVERYWHERE)


def _weight(setting: Setting) -> int:
    return setting.where.weight


def _read(values: Mapping[str, Sequence[Value]]) -> dict[str, list[Setting]]:
    """The values by lower-case name. Raises StartupError for one that its key cannot take."""
    result: dict[str, list[Setting]] = {}
    for name, given in values.items():
        key = find(name)
        if key is None:
            log.debug("dynamic configuration %s is not known here", name)
            continue
        result.setdefault(key.name.lower(), []).extend(_setting(key, each) for each in given)
    return result


def _setting(key: Key[Any], given: Value) -> Setting:
    try:
        return Setting(key, key.kind.read(given.value), given.where, given.source)
    except ValueError as error:
        raise StartupError(
            f"dynamic configuration {key.name} takes {error}, not {given.value!r} (in {given.source})."
        ) from None
