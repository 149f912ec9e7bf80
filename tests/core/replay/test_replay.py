"""Replaying a run's history gives what living it gave; and a reset is a run like any other."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from outlive.core.replay import replay
from outlive.core.reset import new_run, reapply
from outlive.core.reset.new_run import Prefix, Reset
from outlive.core.state import TaskState
from outlive.errors import InvalidArgument
from tests.core.replay.lives import Life, observed

pytestmark = pytest.mark.timeout(240)  # many examples, on a machine that others use as well


def copied(events: list[HistoryEvent]) -> list[HistoryEvent]:
    return [HistoryEvent.FromString(event.SerializeToString()) for event in events]


class Replayed(Life):
    """After every step the history so far is replayed."""

    @invariant()
    def replaying_gives_what_living_gave(self) -> None:
        if hasattr(self, "state") and not self.state.buffered:
            rebuilt = replay.rebuild(self.state.start, self.history)
            assert observed(rebuilt) == observed(self.state)

    @precondition(lambda self: len(self.history) > 3)
    @rule(data=st.data(), no_signals=st.booleans())
    def reset(self, data: st.DataObject, no_signals: bool) -> None:
        """Life goes on in a reset of the run, if there is a task to reset to."""
        event_id = data.draw(st.integers(2, len(self.history)))
        prefix = Prefix(self.state.start)
        prefix.add(copied(self.history[: event_id - 1]))
        pending = prefix.state.info.task_state != TaskState.NONE
        try:
            t = new_run.begin(prefix, Reset(event_id, "why", "r"), f"run-{next(self.names)}", self.now, self.context)
        except InvalidArgument:
            assert not pending
            return
        assert pending
        exclude = frozenset([1]) if no_signals else frozenset[int]()
        for event in copied(self.history[event_id - 1 :]):
            if reapply.relevant(event, of_base=True):
                reapply.reapply(t, event, exclude)
        new_run.finish(t)
        self.history, self.state, self.tokens = [], t.state, []
        self._keep(t)
        assert self.state.open
        assert self.state.info.task_state == TaskState.SCHEDULED
        assert self.state.info.reset_at == self.now


TestReplayed = Replayed.TestCase
TestReplayed.settings = settings(
    max_examples=120,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def test_every_type_of_event_has_its_place() -> None:
    known = set(replay.HANDLERS) | replay.NOTHING
    assert known == set(EventType.values()) - {EventType.EVENT_TYPE_UNSPECIFIED}
    assert not set(replay.HANDLERS) & replay.NOTHING
