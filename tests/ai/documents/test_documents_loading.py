"""Documents: found where a person says they are, and read as the text that is in them."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from outlive.ai.documents import SourceNotFound, Unreadable, discover, document_of_bytes, read_url, split
from outlive.ai.documents.loading import MAX_BYTES
from outlive.ai.documents.markup import text_of_html, text_of_markdown, text_of_plain, text_of_restructured_text

_LONG = "The harbour master writes down every ship that enters and every ship that leaves again. " * 4


def test_html_keeps_what_is_read_and_drops_what_is_run() -> None:
    title, text = text_of_html(
        "<html><head><title>Ships &amp; tides</title><style>p{}</style></head><body><nav>Home</nav>"
        "<h2>Tides</h2><p>High\n water at <b>noon</b>.</p><script>alert(1)</script>"
        "<ul><li>spring</li><li><p>neap</p></li></ul><pre>if x:\n    y()</pre></body></html>"
    )
    assert title == "Ships & tides"
    assert text.split("\n\n") == [
        "## Tides",
        "High water at noon.",
        "- spring",
        "- neap",
        "    if x:\n        y()",
    ]


def test_unclosed_tags_lose_no_text() -> None:
    assert text_of_html("<p>one<p>two<li>three <b>four")[1] == "one\n\ntwo\n\n- three four"


def test_markdown_loses_its_badges_and_keeps_its_tables() -> None:
    text = text_of_markdown(
        "# Title\n\n[![badge](https://x/y.svg)](https://x)\n\nSome *text*.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    assert text.split("\n\n") == ["# Title", "Some text.", "a", "b", "1", "2"]


def test_restructured_text_with_unknown_directives_is_read_all_the_same() -> None:
    text = text_of_restructured_text(
        "Title\n=====\n\nSome :py:func:`call` text.\n\n.. automodule:: nothing\n   :members:\n\nMore text.\n"
    )
    assert "# Title" in text
    assert "More text." in text
    assert "automodule" not in text


def test_restructured_text_cannot_read_files_of_the_machine(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the password")
    text = text_of_restructured_text(f"Hello.\n\n.. include:: {secret}\n\n.. raw:: html\n   :file: {secret}\n")
    assert "password" not in text
    assert "Hello." in text


def test_plain_text_has_its_hard_line_breaks_undone() -> None:
    assert text_of_plain("one\ntwo\r\n\r\nthree\n\n    code\n    more") == "one two\n\nthree\n\n    code\n    more"


def test_pdf_text_comes_with_its_page_numbers() -> None:
    document = document_of_bytes(pdf([_LONG, "Second page. " * 20]), "application/pdf", "log", "/log.pdf")
    assert document.title == "log"
    assert [document.text[at : at + 8] for at in document.pages] == ["# Page 1", "# Page 2"]
    passages = split(document.text, document.pages)
    assert {(passage.page, passage.heading) for passage in passages} == {(1, "Page 1"), (2, "Page 2")}


def test_what_is_no_pdf_says_so() -> None:
    with pytest.raises(Unreadable, match="not a PDF that can be read"):
        document_of_bytes(b"%PDF-1.4 nothing follows", "application/pdf", "log", "/log.pdf")


@pytest.mark.parametrize("media_type", ["image/png", "application/zip"])
def test_other_types_are_refused_by_name(media_type: str) -> None:
    with pytest.raises(Unreadable, match=media_type):
        document_of_bytes(_LONG.encode(), media_type, "x", "/x")


def test_a_document_without_text_is_refused() -> None:
    with pytest.raises(Unreadable, match="only 5 characters"):
        document_of_bytes(b"short", "text/plain", "x", "/x", min_chars=200)


def test_bytes_that_are_not_utf8_are_read_as_windows_text() -> None:
    assert "naïve" in document_of_bytes(("naïve " + _LONG).encode("cp1252"), "text/plain", "x", "/x").text


def test_the_id_is_from_the_content() -> None:
    one = document_of_bytes(_LONG.encode(), "text/plain", "x", "/a")
    same = document_of_bytes(_LONG.encode(), "text/plain", "x", "/b")
    other = document_of_bytes((_LONG + "!").encode(), "text/plain", "x", "/a")
    assert one.id == same.id != other.id


def test_folders_are_searched_in_order_without_hidden_and_foreign_files(tmp_path: Path) -> None:
    for name in ("b.md", "a.txt", "sub/c.HTML", ".hidden/d.md", "e.png", "sub/.f.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = discover([str(tmp_path), str(tmp_path / "b.md"), "https://example.org/page"])
    assert [Path(source).name for source in found] == ["a.txt", "b.md", "c.HTML", "page"]


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"no file or folder .*nowhere"):
        discover([str(tmp_path / "nowhere")])


async def test_a_page_is_read_by_the_type_its_server_gives() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/log"
        page = f"<title>Log</title><p>{_LONG} café</p>".encode("latin-1")
        return httpx.Response(200, content=page, headers={"content-type": "text/html; charset=latin-1"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as client:
        document = await read_url(client, "https://harbour.test/log")
    assert document.title == "Log"
    assert document.uri == "https://harbour.test/log"
    assert document.text.endswith("café")


async def test_a_page_without_end_is_refused() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"x" * (MAX_BYTES + 1), headers={"content-type": "text/plain"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as client:
        with pytest.raises(Unreadable, match="larger than"):
            await read_url(client, "https://harbour.test/endless")


def pdf(pages: list[str]) -> bytes:
    """A PDF with one line of text a page, as small as the format allows."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 20 700 Td ({text.strip()}) Tj ET"
        font = "/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] {font} /Contents {5 + 2 * n} 0 R >>")
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + f"xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode()
