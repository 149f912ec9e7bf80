"""One source becomes one document; what is no file or page is the description of an installed package."""

from __future__ import annotations

import re
from dataclasses import replace
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import cast

import httpx

from examples.research_pipeline.documents.sources import Kind, Source
from outlive.ai.documents import Document, Unreadable, read_file
from outlive.ai.documents import read_url as read_page
from outlive.ai.documents.loading import decoded, media_type_of_name, text_of_characters

MIN_CHARS = 200
"""A document with less text than this has nothing to analyse."""
MAX_CHARS = 400_000
"""Text past this is cut off (about 100,000 tokens)."""

_LICENCE_NAME = re.compile(r"licen[cs]e|copying|notice|authors", re.IGNORECASE)


def read_local(source: Source) -> Document:
    """Read a file or an installed package. Slow for long documents: call it in a thread.

    Raises Unreadable if there is no text in it, OSError if it cannot be opened.
    """
    if source.kind is Kind.PACKAGE:
        return _shortened(_from_package(source.where))
    return _shortened(read_file(Path(source.where), min_chars=MIN_CHARS))


async def read_url(client: httpx.AsyncClient, source: Source) -> Document:
    """Fetch a page. Raises httpx.HTTPError if the server is away or refuses, Unreadable if too large."""
    return _shortened(await read_page(client, source.where, min_chars=MIN_CHARS))


def _shortened(document: Document) -> Document:
    return replace(document, text=document.text[:MAX_CHARS])


def _from_package(name: str) -> Document:
    distribution = metadata.distribution(name)
    # The stubs type this as a protocol with fewer methods; it is an email message.
    header = cast(Message, distribution.metadata)
    source = str(header.get_payload() or header.get("Description") or "")
    media_type = str(header.get("Description-Content-Type") or "text/x-rst").partition(";")[0].strip()
    if len(source.strip()) < MIN_CHARS:
        source, media_type = _readme_of(distribution) or (source, media_type)
    _, text = text_of_characters(source, media_type)
    text = text.replace("\x00", " ")
    if len(text) < MIN_CHARS:
        raise Unreadable(f"only {len(text)} characters of text")
    return Document(f"{header['Name']} {distribution.version}"[:200], _home_page(header), media_type, text)


def _readme_of(distribution: metadata.Distribution) -> tuple[str, str] | None:
    """The longest README among the installed files, where the package's description has no text."""
    texts = []
    for file in distribution.files or []:
        if file.name.lower().startswith("readme") and not _LICENCE_NAME.search(str(file)):
            path = Path(str(distribution.locate_file(file)))
            if path.is_file():
                texts.append((decoded(path.read_bytes(), None), media_type_of_name(file.name)))
    return max(texts, key=lambda found: len(found[0]), default=None)


def _home_page(header: Message) -> str:
    links = [str(value).partition(",") for value in header.get_all("Project-URL", [])]
    by_label = {label.strip().lower(): url.strip() for label, _, url in links}
    for label in ("documentation", "docs", "homepage", "home", "repository", "source", "source code"):
        if label in by_label:
            return by_label[label]
    return str(header.get("Home-page") or next(iter(by_label.values()), ""))
