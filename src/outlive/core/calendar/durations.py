"""Durations as people write them: `1h30m`, `2d`, `-1.5s`."""

from __future__ import annotations

import re
from typing import Final

_NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII)
_WHOLE = re.compile(rf"([+-]?)((?:{_PART.pattern})+)", re.ASCII)
_LONGEST: Final = 2**63 - 1  # nanoseconds: 292 years


def parse_duration(text: str, *, days: bool = True) -> int | None:
    """Nanoseconds of a duration as Go writes them, and with `d` for 24 hours if `days`.

    None if the text is no duration, or one of more than 292 years.
    """
    if text in ("0", "+0", "-0"):
        return 0
    whole = _WHOLE.fullmatch(text)
    if whole is None or (not days and "d" in text):
        return None
    total = sum(_scaled(number, _NANOSECONDS[unit]) for number, unit in _PART.findall(whole[2]))
    if total > _LONGEST:
        return None
    return -total if whole[1] == "-" else total


def _scaled(number: str, unit: int) -> int:
    whole, _, fraction = number.partition(".")
    digits = fraction[:18]
    return int(whole[:30] or "0") * unit + int(digits or "0") * unit // int("1" + "0" * len(digits))
