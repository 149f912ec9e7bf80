"""Model calls: each made once, each in the log, and what the log proves about a kill."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import BaseModel

from examples.research_pipeline.calls import CallLog, Event, Line, ModelCalls, read_log
from examples.research_pipeline.metering import Metering
from examples.research_pipeline.models import Reply, Usage
from examples.research_pipeline.proof import prove
from examples.research_pipeline.store.stores import Stores
from outlive.ledger.client import NANO, Filter, in_process


class Word(BaseModel):
    """A small answer."""

    text: str


class Model:
    """Answers with how often it was asked; fails the first `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.asked = 0
        self._failures = failures

    async def __call__(self) -> Reply[Word]:
        self.asked += 1
        if self.asked <= self._failures:
            raise ConnectionError("line is dead")
        return Reply(Word(text=str(self.asked)), Usage(7, 3, 0.25))


async def ask(calls: ModelCalls, model: Model) -> str:
    """Ask under one key."""
    return (await calls.once("run", "analyse", "key", "model", Word, model)).text


async def test_a_completed_call_is_answered_from_the_store(stores: Stores, tmp_path: Path) -> None:
    calls, model = ModelCalls(CallLog(tmp_path / "log"), stores.trace), Model()
    assert [await ask(calls, model), await ask(calls, model)] == ["1", "1"]
    assert model.asked == 1
    lines = read_log(tmp_path / "log")
    assert [line.event for line in lines] == [Event.BEGIN, Event.END, Event.REUSED]
    assert {(line.key, line.model, line.pid) for line in lines} == {("key", "model", os.getpid())}


async def test_with_a_ledger_another_run_asks_no_more(stores: Stores, tmp_path: Path) -> None:
    async with in_process() as ledger:
        metering = Metering(ledger, "anthropic:claude-haiku-4-5", is_language_model=True)
        calls, model = ModelCalls(CallLog(tmp_path / "log"), stores.trace, metering), Model()
        for run in ("w1/1", "w2/1"):
            word = await calls.once(run, "analyse", f"{run}/key", "model", Word, model, "What is it for?")
            assert word.text == "1"
        with pytest.raises(ConnectionError):
            await calls.once("w3/1", "analyse", "w3", "model", Word, Model(failures=1), "Something else?")
        (row,) = await ledger.costs("team", Filter(team="research"))
        assert (row.calls, row.failed, row.cache_hits) == (3, 1, 1)
        assert (row.cost, row.saved) == (NANO // 4, NANO // 4)
    events = [line.event for line in read_log(tmp_path / "log")]
    assert events == [Event.BEGIN, Event.END, Event.CACHED, Event.BEGIN, Event.FAILED]


async def test_a_failed_call_is_logged_and_made_again(stores: Stores, tmp_path: Path) -> None:
    calls, model = ModelCalls(CallLog(tmp_path / "log"), stores.trace), Model(failures=1)
    with pytest.raises(ConnectionError):
        await ask(calls, model)
    assert await ask(calls, model) == "2"
    lines = read_log(tmp_path / "log")
    assert [line.event for line in lines] == [Event.BEGIN, Event.FAILED, Event.BEGIN, Event.END]
    assert lines[1].detail == "ConnectionError: line is dead"


async def test_two_processes_share_one_log(tmp_path: Path) -> None:
    one, other = CallLog(tmp_path / "log"), CallLog(tmp_path / "log")
    for n in range(50):
        (one if n % 2 else other).write(Event.BEGIN, f"key {n}", "model")
    assert [line.key for line in read_log(tmp_path / "log")] == [f"key {n}" for n in range(50)]


def test_a_log_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"event": "begin"}\n')
    with pytest.raises(ValueError, match="line 1 is not a line of a call log"):
        read_log(tmp_path / "log")
    assert read_log(tmp_path / "none") == []


def log_of(text: str) -> list[Line]:
    """`b1 e1` is a call begun and ended under key 1; f: failed, r: reused."""
    events = {"b": Event.BEGIN, "e": Event.END, "f": Event.FAILED, "r": Event.REUSED}
    return [Line(0.0, events[word[0]], word[1:], "m", 1) for word in text.split()]


def test_the_price_of_a_kill_is_what_was_in_flight() -> None:
    before, after = log_of("b1 e1 b2 e2 b3 b4"), log_of("b3 e3 b4 e4 b5 e5")
    proof = prove(before + after, len(before), ["1", "2"])
    assert proof.holds
    assert (proof.begun_before, proof.completed_before, proof.in_flight) == (4, 2, 2)
    assert (proof.begun_after, proof.repeated, proof.reused) == (3, 2, 0)
    assert (proof.made, proof.distinct, proof.saved) == (7, 5, 2)


def test_an_answer_that_was_stored_but_not_recorded_is_used_again() -> None:
    before, after = log_of("b1 e1 b2 e2"), log_of("r2 b3 e3")
    proof = prove(before + after, len(before), ["1"])
    assert proof.holds
    assert (proof.reused, proof.repeated) == (1, 0)


def test_a_failed_call_may_be_made_again() -> None:
    before, after = log_of("b1 f1 b1 e1 b2"), log_of("b2 f2 b2 e2")
    proof = prove(before + after, len(before), ["1"])
    assert proof.holds
    assert (proof.in_flight, proof.repeated) == (1, 1)


def test_a_completed_call_that_ran_twice_breaks_the_proof() -> None:
    before, after = log_of("b1 e1"), log_of("b1")
    proof = prove(before + after, len(before), [])
    assert not proof.holds
    assert proof.completed_twice == ["1"]


def test_a_server_that_forgot_breaks_the_proof_even_if_the_store_saved_the_call() -> None:
    before, after = log_of("b1 e1"), log_of("r1")
    proof = prove(before + after, len(before), ["1"])
    assert not proof.holds
    assert proof.completed_twice == []
    assert proof.recorded_but_touched == ["1"]
