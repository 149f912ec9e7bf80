"""The schedules of all namespaces in memory, written through.

Rules (all of them live in this file)
- Each schedule is two entities, so that an action does not write its definition again: `codec` says which.
- What is written is what has changed since the last time; lists are told of what they search by.
- Specs are compiled when they are asked, and the last ones kept.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, NamedTuple

from temporalio.api.schedule.v1 import ScheduleSpec

from outlive.core.calendar import CompiledSpec, compile_spec
from outlive.core.schedules import codec, decisions, views
from outlive.core.schedules.state import Execution, Schedule
from outlive.core.schedules.timetable import Timetable
from outlive.engine.namespaces import Namespaces
from outlive.errors import InvalidArgument
from outlive.limits import SCHEDULE_SPECS_COMPILED
from outlive.store.port import EntityRow, Storage, Writer

DEFINITION: Final = "schedule"  # kinds of the entities
STATE: Final = "schedule state"


class Key(NamedTuple):
    """Which schedule."""

    namespace_id: str
    schedule_id: str


class Entry:
    """A schedule in memory."""

    __slots__ = ("commit", "ended", "key", "next_times", "schedule", "wake_at", "watched", "written")

    def __init__(self, key: Key, schedule: Schedule) -> None:
        self.key = key
        self.schedule = schedule
        self.written: Schedule | None = None  # as the store has it, or will with the next commit
        self.commit: asyncio.Future[None] | None = None  # of that
        self.wake_at = 0  # the one of its wake-ups that counts; 0 for none
        self.watched: frozenset[Execution] = frozenset()  # its workflows that may be open
        self.ended: set[Execution] = set()  # those of them whose end is to be looked at
        self.next_times: list[int] | None = None  # as last worked out


class Held:
    """The schedules, by key."""

    def __init__(self, storage: Storage, writer: Writer, namespaces: Namespaces) -> None:
        self._storage = storage
        self._writer = writer
        self._namespaces = namespaces
        self._entries: dict[Key, Entry] = {}
        self.specs = Specs()

    def load(self) -> None:
        """Take over what the store has."""
        states = {(row.namespace_id, row.entity_id): row.data for row in self._storage.entities(STATE)}
        for row in self._storage.entities(DEFINITION):
            key = Key(row.namespace_id, row.entity_id)
            entry = self._entries[key] = Entry(key, codec.decode(row.data, states[key]))
            entry.written = entry.schedule

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Entry | None:
        return self._entries.get(key)

    def add(self, key: Key, schedule: Schedule) -> Entry:
        """Hold a new schedule; `put` writes it."""
        entry = self._entries[key] = Entry(key, schedule)
        return entry

    def put(self, entry: Entry) -> None:
        """Have what has changed in the next commit."""
        before, now = entry.written, entry.schedule
        if before is now:
            return
        if before is None or before.definition is not now.definition:
            entry.commit = self._put(DEFINITION, entry, codec.encode_definition(now))
            self._show(entry)
        elif before.state.paused != now.state.paused:
            self._show(entry)
        if before is None or before.state is not now.state:
            entry.commit = self._put(STATE, entry, codec.encode_state(now))
        entry.written = now
        entry.next_times = None

    def _put(self, kind: str, entry: Entry, data: bytes) -> asyncio.Future[None]:
        return self._writer.put_entity(EntityRow(kind, entry.key.namespace_id, entry.key.schedule_id, data))

    def _show(self, entry: Entry) -> None:
        namespace = self._namespaces.by_id(entry.key.namespace_id)
        self._writer.put_visible(views.record(entry.schedule, namespace.id, namespace.attribute_types))

    def remove(self, entry: Entry) -> None:
        """Forget the schedule."""
        del self._entries[entry.key]
        for kind in (DEFINITION, STATE):
            self._writer.delete_entity(kind, entry.key.namespace_id, entry.key.schedule_id)
        entry.commit = self._writer.delete_visible(entry.key.namespace_id, entry.schedule.state.uid)

    async def committed(self, entry: Entry) -> None:
        """Wait until everything that is known of the schedule is durable."""
        if entry.commit is not None:
            await entry.commit

    def timetable(self, entry: Entry) -> Timetable | None:
        """When the schedule acts; None if its spec, which was one when it was made, is none any more."""
        try:
            spec = self.specs.compiled(entry.schedule.definition.schedule.spec)
        except InvalidArgument:
            return None
        return Timetable(spec, "-".join(entry.key))

    def problem(self, entry: Entry) -> str:
        """Why the schedule takes no actions; empty if nothing is wrong with it."""
        try:
            self.specs.compiled(entry.schedule.definition.schedule.spec)
        except InvalidArgument as error:
            return error.message
        return decisions.problem(entry.schedule)


class Specs:
    """Compiled specs by their encoding; the last ones used are kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, CompiledSpec] = OrderedDict()

    def compiled(self, spec: ScheduleSpec) -> CompiledSpec:
        """The spec, ready to be asked. Raises InvalidArgument if it is none."""
        data = spec.SerializeToString()
        found = self._kept.get(data)
        if found is not None:
            self._kept.move_to_end(data)
            return found
        found = compile_spec(spec)
        self._kept[found.canonical.SerializeToString()] = found  # which is what will be asked for from now on
        if len(self._kept) > SCHEDULE_SPECS_COMPILED:
            self._kept.popitem(last=False)
        return found
