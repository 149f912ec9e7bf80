"""Time zones: local dates and clocks of instants, and back.

Instants are whole seconds since the Unix epoch, UTC.
"""

from __future__ import annotations

import calendar
import functools
import io
import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

_UTC_NAMES: Final = ("", "UTC", "Local")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


Date = tuple[int, int, int]  # year, month, day
Clock = tuple[int, int, int]  # hour, minute, second


class UnknownZone(Exception):
    """There is no such time zone, or its data is malformed; the argument says which, in words."""


@functools.lru_cache(maxsize=1_000)
def load_zone(name: str) -> tzinfo:
    """The zone of an IANA name. No name is UTC, and so is `Local`: the server's own zone means nothing here.

    Raises UnknownZone.
    """
    if name in _UTC_NAMES:
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZone(f"unknown time zone {name}") from None


def zone_of_data(name: str, data: bytes) -> tzinfo:
    """A zone from the contents of a TZif file. Raises UnknownZone."""
    try:
        return zoneinfo.ZoneInfo.from_file(io.BytesIO(data), name)
    except Exception as error:  # data of a client's: besides ValueError it may raise what unpacking raises
        raise UnknownZone("malformed time zone information") from error


def local_time(zone: tzinfo, instant: int) -> datetime:
    """The date and clock that people there see."""
    return (_EPOCH + timedelta(seconds=instant)).astimezone(zone)


def instant_of(zone: tzinfo, date: Date, clock: Clock) -> int:
    """The instant of a local date and clock; an hour 24 is the first of the next day.

    A clock that clocks skip (spring) is the instant before the change plus the difference; of one that they
    show twice (autumn) it is the one that comes out when the offset is looked up at that clock as if it were
    UTC: the first in the Americas, the second in Europe. Temporal's schedules do so, and people have come to
    rely on the instants.
    """
    shown = calendar.timegm((*date, *clock))
    return shown - _offset(zone, shown - _offset(zone, shown))


def _offset(zone: tzinfo, instant: int) -> int:
    offset = local_time(zone, instant).utcoffset()
    return 0 if offset is None else offset.days * 86_400 + offset.seconds
