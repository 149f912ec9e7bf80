"""Cutting bytes and folding references, for any bytes."""

from __future__ import annotations

import hashlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlive.ai.contents.splitting import PIECE_MAX, STRING_MIN, pieces
from outlive.ai.contents.tree import FAN, Item, Kind, Malformed, folded, read, written

texts = st.text(max_size=3000)
documents = st.recursive(
    st.none() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@given(st.binary(max_size=40_000), st.booleans())
def test_pieces_joined_are_the_bytes(data: bytes, as_json: bool) -> None:
    found = list(pieces(data, json=as_json))
    assert b"".join(piece.data for piece in found) == data
    assert all(piece.data and len(piece.data) <= PIECE_MAX for piece in found)


@given(documents)
def test_long_strings_of_json_are_pieces_of_their_own(document: object) -> None:
    data = json.dumps(document).encode()
    apart = [piece.data for piece in pieces(data, json=True) if piece.apart]
    for text in _strings(document):
        written_out = json.dumps(text).encode()
        if STRING_MIN <= len(written_out) <= PIECE_MAX:
            assert written_out in apart


def _strings(document: object) -> list[str]:
    if isinstance(document, str):
        return [document]
    inner = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    return [text for each in inner for text in _strings(each)]


def test_an_edit_changes_the_pieces_around_it() -> None:
    words = random.Random(5)
    before = " ".join(words.choice(["one", "two.", "three", "four!", "five\n"]) for _ in range(40_000)).encode()
    after = before[:50_000] + b"something else. " + before[50_000:]
    kept = {piece.data for piece in pieces(before, json=False)}
    new = [piece.data for piece in pieces(after, json=False) if piece.data not in kept]
    assert len(kept) > 20
    assert sum(map(len, new)) < 3 * PIECE_MAX


class _Kept(dict[bytes, bytes]):
    def put(self, data: bytes) -> bytes:
        digest = hashlib.sha256(data).digest()
        self[digest] = data
        return digest

    def flat(self, items: list[Item]) -> list[Item]:
        """The items with every node's own in its place."""
        return [
            inner
            for item in items
            for inner in (self.flat(list(read(self[item.data]))) if item.kind == Kind.NODE else [item])
        ]


leaves = st.binary(min_size=32, max_size=32).map(lambda data: Item(Kind.LEAF, data))
literals = st.binary(min_size=1, max_size=300).map(lambda data: Item(Kind.BYTES, data))


@given(st.lists(leaves | literals, max_size=200))
def test_folding_loses_nothing_and_leaves_little_at_the_top(items: list[Item]) -> None:
    kept = _Kept()
    top = folded(items, kept.put)
    assert kept.flat(top) == items
    assert sum(item.kind != Kind.BYTES for item in top) <= FAN * 5
    assert list(read(written(top))) == top


def test_a_list_that_grows_shares_all_but_its_end() -> None:
    kept = _Kept()
    items: list[Item] = []
    for number in range(1000):
        items.append(Item(Kind.LEAF, hashlib.sha256(b"%d" % number).digest()))
        folded(items, kept.put)
    assert sum(map(len, kept.values())) < 1000 * 60  # bytes of nodes for a thousand lists of up to a thousand


@given(st.binary(max_size=200))
def test_what_is_no_list_is_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        items = list(read(data))
    except Malformed:
        return
    assert sum(len(item.data) for item in items) < max(1, len(data))


def test_an_item_that_ends_early() -> None:
    with pytest.raises(Malformed, match="ends within an item"):
        list(read(b"\x01abc"))
