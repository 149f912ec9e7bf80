"""Encryption of what lies in a store (`pip install 'outlive[seal]'`)."""

from __future__ import annotations

from outlive.ai.contents.errors import ContentsError


class Seal:
    """AES-SIV (RFC 5297): the same bytes under the same key give the same sealed bytes, so that they are stored once.

    Who reads the store learns which contents are equal and how long they are (compressed), and nothing else. The key
    has 32 or 64 bytes; `Seal.new_key()` makes one. Raises ContentsError.
    """

    def __init__(self, key: bytes) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESSIV
        except ImportError:
            raise ContentsError("sealed contents need one more package: pip install 'outlive[seal]'.") from None
        if len(key) not in (32, 64):
            raise ContentsError(f"a seal's key has 32 or 64 bytes, not {len(key)}.")
        self._cipher = AESSIV(key)

    @staticmethod
    def new_key() -> bytes:
        """64 random bytes."""
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        return AESSIV.generate_key(512)

    def close(self, data: bytes) -> bytes:
        """16 bytes more than what is given."""
        return self._cipher.encrypt(data, None)

    def open(self, data: bytes) -> bytes:
        """Raises ContentsError for another key."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(data, None)
        except InvalidTag:
            raise ContentsError("a content was sealed with another key than this process has.") from None
