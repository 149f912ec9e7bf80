"""What goes wrong with contents."""

from __future__ import annotations

from outlive.base_errors import OutliveError


class ContentsError(OutliveError):
    """A payload's contents cannot be stored or read. A workflow task that meets it is tried again."""


class ContentMissing(ContentsError):
    """The store does not have a content that a payload refers to."""

    def __init__(self, digest: str, store: str) -> None:
        super().__init__(
            f"content {digest} is not in {store}: either this process uses another store than the one that wrote it,"
            " or it was collected because its workflow was gone."
        )
        self.digest = digest


class ContentDamaged(ContentsError):
    """Stored bytes do not have the digest they are stored under, or do not make up what was stored."""

    def __init__(self, digest: str, store: str, why: str = "its bytes have another digest") -> None:
        super().__init__(f"content {digest} in {store} is damaged: {why}.")
        self.digest = digest
