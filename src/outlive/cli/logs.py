"""Logging to stderr, in Temporal's level and format names."""

from __future__ import annotations

import json
import logging
import sys

LEVELS = ("debug", "info", "warn", "error", "fatal", "never")
FORMATS = ("text", "json", "pretty")
_NUMBERS = {"debug": 10, "info": 20, "warn": 30, "error": 40, "fatal": 50, "never": 100}


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "ts": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def set_up(level: str, style: str) -> None:
    """Send log lines of at least this level to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(_Json() if style == "json" else text)
    logging.basicConfig(level=_NUMBERS[level], handlers=[handler], force=True)
