"""The root of the tree of errors (`errors.py`), and its branches that the protocol knows nothing of."""

from __future__ import annotations


class OutliveError(Exception):
    """Every error that outlive raises on purpose."""


class StartupError(OutliveError):
    """The server cannot start. The message is one sentence that says what to do about it."""


class StorageFailed(OutliveError):
    """A commit failed. Nothing after it may be acknowledged; the server stops."""
