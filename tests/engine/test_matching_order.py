"""The order of offers in a queue, by properties: nothing lost or doubled, levels strict, shares by weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from outlive.engine.matching import Offer, Rank
from outlive.engine.matching.backlog import Backlog, Levels
from outlive.engine.matching.fair import FairQueue

KEYS = st.sampled_from(("", "a", "b", "c", "d"))
WEIGHTS = st.sampled_from((0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 8.0))
RANKS = st.builds(Rank, st.integers(0, 7), KEYS, WEIGHTS)


def offers() -> Iterator[int]:
    return count(1)


@given(st.lists(st.one_of(RANKS, st.just("pop"), st.just("give back"), st.just("query")), max_size=200))
def test_nothing_is_lost_or_doubled_and_levels_are_strict(steps: list[Rank | str]) -> None:
    levels = Levels()
    backlog = Backlog(levels)
    numbers = offers()
    waiting: dict[int, Offer] = {}
    taken: list[Offer] = []
    for step in steps:
        if isinstance(step, Rank):
            offer = Offer(next(numbers), 0, 0, rank=step)
            backlog.push(offer)
            waiting[offer.key] = offer
        elif step == "query":
            offer = Offer(next(numbers), 0, 0, query="?")
            backlog.push(offer)
            waiting[offer.key] = offer
        elif step == "give back" and taken:
            offer = taken.pop()
            backlog.give_back(offer)
            waiting[offer.key] = offer
        elif step == "pop":
            best = min((levels.of(o.rank) for o in waiting.values()), default=0)
            popped = backlog.pop()
            assert (popped is None) == (not waiting)
            if popped is not None:
                assert levels.of(popped.rank) == best
                taken.append(waiting.pop(popped.key))
        assert len(backlog) == len(waiting)
        assert Counter(o.key for o in backlog) == Counter(waiting.keys())
        assert {n: c for n, (c, _) in backlog.by_level().items()} == Counter(
            levels.of(o.rank) for o in waiting.values()
        )
    rest = [popped.key for popped in iter(backlog.pop, None)]
    assert sorted(rest) == sorted(waiting)


@given(st.lists(RANKS, max_size=100))
def test_offers_of_one_level_and_key_go_in_the_order_in_which_they_came(ranks: list[Rank]) -> None:
    levels = Levels()
    backlog = Backlog(levels)
    for number, rank in enumerate(ranks):
        backlog.push(Offer(number, 0, 0, rank=rank))
    gone: dict[tuple[int, str], int] = {}
    for offer in iter(backlog.pop, None):
        lane = (levels.of(offer.rank), offer.rank.key)
        assert gone.get(lane, -1) < offer.key
        gone[lane] = offer.key


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.1, 10), min_size=2, max_size=6),
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.1, 10), max_size=3),
    st.integers(20, 300),
)
def test_keys_that_always_have_work_get_their_shares(
    weights: dict[str, float], overrides: dict[str, float], rounds: int
) -> None:
    """No key is ever further ahead of another than one turn of each: the bound of start-time fair queueing."""
    queue = FairQueue()
    numbers = offers()
    for key, weight in weights.items():
        for _ in range(2):
            queue.push(Offer(next(numbers), 0, 0, rank=Rank(0, key, weight)))
    in_force = {key: overrides.get(key, weight) for key, weight in weights.items()}
    served: Counter[str] = Counter()
    for _ in range(rounds):
        offer = queue.pop(overrides)
        assert offer is not None
        key = offer.rank.key
        served[key] += 1
        queue.push(Offer(next(numbers), 0, 0, rank=Rank(0, key, weights[key])))
        for one in in_force:
            for other in in_force:
                ahead = served[one] / in_force[one] - served[other] / in_force[other]
                assert ahead <= 1 / in_force[one] + 1 / in_force[other] + 1e-6


@given(st.integers(1, 500), st.integers(1, 5))
def test_a_new_key_waits_for_one_turn_of_each_other_and_no_more(backlog: int, others: int) -> None:
    queue = FairQueue()
    numbers = offers()
    for _ in range(backlog):
        for key in range(others):
            queue.push(Offer(next(numbers), 0, 0, rank=Rank(0, f"old-{key}")))
    for _ in range(backlog // 2 * others):
        queue.pop({})
    queue.push(Offer(0, 0, 0, rank=Rank(0, "new")))
    ahead = 0
    while (offer := queue.pop({})) is not None and offer.rank.key != "new":
        ahead += 1
    assert offer is not None
    assert ahead <= others


@given(st.lists(RANKS, min_size=1, max_size=60), st.sets(KEYS, max_size=4))
def test_a_key_that_may_not_go_holds_up_nobody_else(ranks: list[Rank], held: set[str]) -> None:
    backlog = Backlog(Levels())
    for number, rank in enumerate(ranks):
        backlog.push(Offer(number, 0, 0, rank=rank))
    free = [offer.key for offer in iter(lambda: backlog.pop(lambda key: key not in held), None)]
    assert sorted(free) == [n for n, rank in enumerate(ranks) if rank.key not in held]
    rest = [offer.key for offer in iter(backlog.pop, None)]
    assert sorted(rest) == [n for n, rank in enumerate(ranks) if rank.key in held]


def test_a_flood_of_keys_is_forgotten() -> None:
    queue = FairQueue()
    for number in range(20_000):
        queue.push(Offer(number, 0, 0, rank=Rank(0, f"key {number}")))
        assert queue.pop({}) is not None
    assert len(queue) == 0
    assert queue.keys_known < 3_000
