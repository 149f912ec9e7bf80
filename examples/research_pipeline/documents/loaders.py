"""One source becomes one document: its bytes are read, and its text taken out of them."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from email.message import Message
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import cast

import httpx
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from examples.research_pipeline.documents.markup import (
    text_of_html,
    text_of_markdown,
    text_of_plain,
    text_of_restructured_text,
)
from examples.research_pipeline.documents.sources import Kind, Source

MIN_CHARS = 200
"""A document with less text than this has nothing to analyse."""
MAX_BYTES = 20_000_000
"""A file or page over this is refused: it would be read into memory whole."""
MAX_CHARS = 400_000
"""Text past this is cut off (about 100,000 tokens)."""

_LICENCE_NAME = re.compile(r"licen[cs]e|copying|notice|authors", re.IGNORECASE)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


class Unreadable(Exception):
    """A source that exists but yields no text; the message says why, for the report."""


@dataclass(frozen=True)
class Document:
    """A document as text. Its id is from its content, so that it is stored once however often it is met."""

    title: str
    uri: str
    """Where a person can open it: a URL or a path."""
    media_type: str
    text: str

    @property
    def id(self) -> str:
        """The first 16 hex digits of the SHA-256 of title and text."""
        return sha256(f"{self.title}\n{self.text}".encode()).hexdigest()[:16]


def read_local(source: Source) -> Document:
    """Read a file or an installed package. Slow for long documents: call it in a thread.

    Raises Unreadable if there is no text in it, OSError if it cannot be opened.
    """
    if source.kind is Kind.PACKAGE:
        return _from_package(source.where)
    path = Path(source.where)
    if path.stat().st_size > MAX_BYTES:
        raise Unreadable(f"larger than {MAX_BYTES:,} bytes")
    return document_of_bytes(path.read_bytes(), _media_type_of_name(path.name), path.stem, str(path))


async def read_url(client: httpx.AsyncClient, source: Source) -> Document:
    """Fetch a page. Raises httpx.HTTPError if the server is away or refuses, Unreadable if too large."""
    async with client.stream("GET", source.where, follow_redirects=True) as response:
        response.raise_for_status()
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_BYTES:
                raise Unreadable(f"larger than {MAX_BYTES:,} bytes")
    header = Message()
    header["content-type"] = response.headers.get("content-type", "text/html")
    media_type = header.get_content_type()
    if media_type in ("text/plain", "application/octet-stream"):
        media_type = _media_type_of_name(response.url.path)
    return document_of_bytes(bytes(body), media_type, source.where, source.where, header.get_content_charset())


def document_of_bytes(body: bytes, media_type: str, title: str, uri: str, charset: str | None = None) -> Document:
    """Take the text out of `body`; `title` is used where the document names none. Raises Unreadable."""
    if media_type == "application/pdf":
        found, text = _text_of_pdf(body)
    else:
        found, text = _text_of_characters(_decode(body, charset), media_type)
    return _document(found or title, uri, media_type, text)


def _text_of_characters(characters: str, media_type: str) -> tuple[str, str]:
    if media_type in ("text/html", "application/xhtml+xml"):
        title, text = text_of_html(characters)
        return title or _first_heading(text), text
    if media_type == "text/markdown":
        text = text_of_markdown(characters)
        return _first_heading(text), text
    if media_type == "text/x-rst":
        text = text_of_restructured_text(characters)
        return _first_heading(text), text
    if media_type.startswith("text/"):
        return "", text_of_plain(characters)
    raise Unreadable(f"no reader for {media_type}")


def _text_of_pdf(body: bytes) -> tuple[str, str]:
    try:
        reader = PdfReader(io.BytesIO(body))
        pages = [text_of_plain(page.extract_text()) for page in reader.pages]
        title = (reader.metadata.title or "") if reader.metadata else ""
    except (PyPdfError, ValueError, KeyError) as error:
        raise Unreadable(f"not a PDF that can be read: {error}") from error
    # A heading a page, so that a citation names the page.
    return title.strip(), "\n\n".join(f"# Page {n}\n\n{text}" for n, text in enumerate(pages, 1) if text)


def _from_package(name: str) -> Document:
    distribution = metadata.distribution(name)
    # The stubs type this as a protocol with fewer methods; it is an email message.
    header = cast(Message, distribution.metadata)
    source = str(header.get_payload() or header.get("Description") or "")
    media_type = str(header.get("Description-Content-Type") or "text/x-rst").partition(";")[0].strip()
    if len(source.strip()) < MIN_CHARS:
        source, media_type = _readme_of(distribution) or (source, media_type)
    _, text = _text_of_characters(source, media_type)
    return _document(f"{header['Name']} {distribution.version}", _home_page(header), media_type, text)


def _readme_of(distribution: metadata.Distribution) -> tuple[str, str] | None:
    """The longest README among the installed files, where the package's description has no text."""
    texts = []
    for file in distribution.files or []:
        if file.name.lower().startswith("readme") and not _LICENCE_NAME.search(str(file)):
            path = Path(str(distribution.locate_file(file)))
            if path.is_file():
                texts.append((_decode(path.read_bytes(), None), _media_type_of_name(file.name)))
    return max(texts, key=lambda found: len(found[0]), default=None)


def _home_page(header: Message) -> str:
    links = [str(value).partition(",") for value in header.get_all("Project-URL", [])]
    by_label = {label.strip().lower(): url.strip() for label, _, url in links}
    for label in ("documentation", "docs", "homepage", "home", "repository", "source", "source code"):
        if label in by_label:
            return by_label[label]
    return str(header.get("Home-page") or next(iter(by_label.values()), ""))


def _document(title: str, uri: str, media_type: str, text: str) -> Document:
    # A NUL ends a text in many a tool; nothing readable holds one.
    text = text.replace("\x00", "")[:MAX_CHARS]
    if len(text) < MIN_CHARS:
        raise Unreadable(f"only {len(text)} characters of text")
    return Document(title[:200], uri, media_type, text)


def _decode(body: bytes, charset: str | None) -> str:
    try:
        return body.decode(charset or "utf-8-sig")
    except (UnicodeDecodeError, LookupError):
        return body.decode("cp1252", errors="replace")


def _first_heading(text: str) -> str:
    found = _HEADING.search(text)
    return found.group(1) if found else ""


def _media_type_of_name(name: str) -> str:
    suffix = Path(name).suffix.lower()
    if suffix in (".html", ".htm", ".xhtml"):
        return "text/html"
    if suffix in (".md", ".markdown"):
        return "text/markdown"
    return {".rst": "text/x-rst", ".pdf": "application/pdf"}.get(suffix, "text/plain")
