"""What the book keeps of prompts and answers."""

from __future__ import annotations

import hashlib

from outlive.ledger.types import Record


def kept(record: Record, text: str) -> str:
    """The text itself, a digest of it, or nothing. A digest stays as it is."""
    if record == "full":
        return text
    if record == "hash" and text and not text.startswith("sha256:"):
        return "sha256:" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return text if record == "hash" else ""
