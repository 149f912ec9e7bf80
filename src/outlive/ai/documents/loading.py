"""One source becomes one document: its bytes are read, and its text taken out of them."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from email.message import Message
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from outlive.ai.documents.errors import DocumentsError, Unreadable
from outlive.ai.documents.markup import text_of_html, text_of_markdown, text_of_plain, text_of_restructured_text

if TYPE_CHECKING:
    import httpx

MIN_CHARS: Final = 1
"""A document with less text than this has nothing to say; callers may ask for more."""
MAX_BYTES: Final = 50_000_000
"""A file or page over this is refused: it would be read into memory whole."""

_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Document:
    """A document as text: blocks with an empty line between, headings marked by `#`."""

    title: str
    uri: str
    """Where a person can open it: a URL or a path."""
    media_type: str
    text: str
    pages: tuple[int, ...] = ()
    """Where in the text each page begins, if it has pages."""

    @property
    def id(self) -> str:
        """The first 16 hex digits of the SHA-256 of title and text: the same for the same content."""
        return sha256(f"{self.title}\n{self.text}".encode()).hexdigest()[:16]


def read_file(path: Path, *, min_chars: int = MIN_CHARS) -> Document:
    """Read a file. Slow for long documents: call it in a thread. Raises Unreadable, or OSError."""
    if path.stat().st_size > MAX_BYTES:
        raise Unreadable(f"larger than {MAX_BYTES:,} bytes")
    return document_of_bytes(
        path.read_bytes(), media_type_of_name(path.name), path.stem, str(path), min_chars=min_chars
    )


async def read_url(client: httpx.AsyncClient, url: str, *, min_chars: int = MIN_CHARS) -> Document:
    """Fetch a page. Raises httpx.HTTPError if the server is away or refuses, Unreadable."""
    async with client.stream("GET", url, follow_redirects=True) as response:
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
        media_type = media_type_of_name(response.url.path)
    return document_of_bytes(bytes(body), media_type, url, url, header.get_content_charset(), min_chars=min_chars)


def document_of_bytes(
    body: bytes, media_type: str, title: str, uri: str, charset: str | None = None, *, min_chars: int = MIN_CHARS
) -> Document:
    """Take the text out of `body`; `title` is used where the document names none. Raises Unreadable."""
    if media_type == "application/pdf":
        found, text, pages = _text_of_pdf(body)
    else:
        found, text = text_of_characters(decoded(body, charset), media_type)
        pages = ()
    text = text.replace("\x00", " ")  # it ends a text in many a tool; nothing readable holds one
    if len(text) < min_chars:
        raise Unreadable(f"only {len(text)} characters of text")
    return Document((found or title)[:200], uri, media_type, text, pages)


def text_of_characters(characters: str, media_type: str) -> tuple[str, str]:
    """The title (may be empty) and the text of a document that is characters. Raises Unreadable."""
    try:
        if media_type in ("text/html", "application/xhtml+xml"):
            title, text = text_of_html(characters)
            return title or _first_heading(text), text
        if media_type == "text/markdown":
            text = text_of_markdown(characters)
            return _first_heading(text), text
        if media_type == "text/x-rst":
            text = text_of_restructured_text(characters)
            return _first_heading(text), text
    except ImportError as error:
        raise DocumentsError(f"{media_type} needs {error.name}: pip install 'outlive[documents]'.") from None
    if media_type.startswith("text/"):
        return "", text_of_plain(characters)
    raise Unreadable(f"no reader for {media_type}")


def _text_of_pdf(body: bytes) -> tuple[str, str, tuple[int, ...]]:
    """A heading a page, so that no passage goes over two pages."""
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ImportError:
        raise DocumentsError("PDF needs pypdf: pip install 'outlive[documents]'.") from None
    try:
        reader = PdfReader(io.BytesIO(body))
        pages = [text_of_plain(page.extract_text()) for page in reader.pages]
        title = (reader.metadata.title or "") if reader.metadata else ""
    except (PyPdfError, ValueError, KeyError) as error:
        raise Unreadable(f"not a PDF that can be read: {error}") from error
    begins, text = [], ""
    for number, page in enumerate(pages, 1):
        text += "\n\n" if text and page else ""
        begins.append(len(text))
        text += f"# Page {number}\n\n{page}" if page else ""
    return title.strip(), text, tuple(begins)


def decoded(body: bytes, charset: str | None) -> str:
    """The characters that the bytes are, as UTF-8 or else as Windows text."""
    try:
        return body.decode(charset or "utf-8-sig")
    except (UnicodeDecodeError, LookupError):
        return body.decode("cp1252", errors="replace")


def media_type_of_name(name: str) -> str:
    """The media type that a file's suffix stands for."""
    suffix = Path(name).suffix.lower()
    if suffix in (".html", ".htm", ".xhtml"):
        return "text/html"
    if suffix in (".md", ".markdown"):
        return "text/markdown"
    return {".rst": "text/x-rst", ".pdf": "application/pdf"}.get(suffix, "text/plain")


def _first_heading(text: str) -> str:
    found = _HEADING.search(text)
    return found.group(1) if found else ""
