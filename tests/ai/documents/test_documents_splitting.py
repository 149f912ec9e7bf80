"""Splitting: nothing lost, nothing too long, every passage a slice that can be cited."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outlive.ai.documents import Passage, Splitting, split

TEXTS = st.text("abcdefg .!?'\n#-A1", min_size=0, max_size=3000)
HOWS = st.builds(
    lambda target, more, overlap, tokens: Splitting(
        target, target + more, min(overlap, target - 1), (lambda text: (len(text) + 3) // 4) if tokens else len
    ),
    st.integers(1, 400),
    st.integers(0, 400),
    st.integers(0, 200),
    st.booleans(),
)


@given(TEXTS, HOWS)
@example(" 1", Splitting(1, 1, 0, len))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, how: Splitting) -> None:
    passages = split(text, how=how)
    covered = [False] * len(text)
    for passage in passages:
        assert text[passage.start : passage.end] == passage.text
        assert passage.text.strip()
        assert how.measure(passage.text) <= how.maximum
        covered[passage.start : passage.end] = [True] * (passage.end - passage.start)
    missed = "".join(letter for letter, there in zip(text, covered, strict=True) if not there)
    assert all(line.lstrip().startswith("#") for line in missed.split("\n") if line.strip())
    assert [passage.number for passage in passages] == list(range(len(passages)))
    for one, two in pairwise(passages):
        assert one.start < two.start
        assert one.end < two.end
        if two.start < one.end:
            assert how.measure(text[two.start : one.end]) <= how.overlap


@given(TEXTS, HOWS)
def test_the_same_passages_every_time(text: str, how: Splitting) -> None:
    assert split(text, how=how) == split(text, how=how)


def test_passages_stop_at_headings_and_carry_the_trail() -> None:
    passages = split("Before.\n\n# One\n\nText.\n\n## Two\n\nMore.\n\n# Three\n\nEnd.")
    assert [(p.heading, p.text) for p in passages] == [
        ("", "Before."),
        ("One", "Text."),
        ("One › Two", "More."),
        ("Three", "End."),
    ]
    assert passages[2].embedded == "One › Two\nMore."


def test_passages_overlap_by_whole_sentences() -> None:
    text = " ".join(f"This is sentence number {number}." for number in range(20))
    passages = split(text, how=Splitting(100, 120, 40))
    assert len(passages) > 5
    for one, two in pairwise(passages):
        assert two.start < one.end
        assert two.text.startswith("This is")


def test_a_block_without_sentences_or_spaces_is_cut_all_the_same() -> None:
    assert [len(passage.text) for passage in split("x" * 4200)] == [1400] * 3


def test_pages_are_said() -> None:
    text = "One.\n\nTwo.\n\nThree."
    (passage,) = split(text, (0, 6))
    assert passage == Passage(0, 0, len(text), text, "", 1)


@pytest.mark.parametrize("values", [(0, 10, 0), (10, 5, 0), (10, 20, 10), (10, 20, -1)])
def test_what_is_no_splitting(values: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="0 < target <= maximum"):
        Splitting(*values)
