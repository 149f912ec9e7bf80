"""What goes wrong with documents."""

from __future__ import annotations

from outlive.base_errors import OutliveError


class DocumentsError(OutliveError):
    """Every error of this package."""


class SourceNotFound(DocumentsError):
    """A source that a person named does not exist; the message says which."""


class Unreadable(DocumentsError):
    """A source that exists but yields no text; the message says why."""


class IndexMismatch(DocumentsError):
    """The index was made by another embedding model, or with vectors of another length."""


class EmbeddingFailed(DocumentsError):
    """The embedding model refused. `retryable`: the same request may succeed later, in `retry_after` seconds."""

    def __init__(self, message: str, *, retryable: bool, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after
