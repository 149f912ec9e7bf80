"""Ids and the clock."""

from __future__ import annotations

import time
import uuid

from outlive.clock import SystemClock, new_id


def test_ids_are_version_seven_and_carry_their_time() -> None:
    before = time.time_ns() // 1_000_000
    ids = [uuid.UUID(new_id()) for _ in range(1000)]
    after = time.time_ns() // 1_000_000
    assert len(set(ids)) == 1000
    assert {(each.version, each.variant) for each in ids} == {(7, uuid.RFC_4122)}
    assert all(before <= each.int >> 80 <= after for each in ids)


def test_the_clock_is_the_machines() -> None:
    assert abs(SystemClock().now() - time.time_ns()) < 1_000_000_000
