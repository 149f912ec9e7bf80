from __future__ import annotations

import pytest
from temporalio.api.common.v1 import Payload

from outlive.web import bounds
from outlive.web.views import payloads


def made(encoding: str, data: bytes, **metadata: bytes) -> Payload:
    return Payload(metadata={"encoding": encoding.encode(), **metadata}, data=data)


@pytest.mark.parametrize(
    ("encoding", "data", "kind", "text"),
    [
        ("json/plain", b'{"b":1,"a":[true,null]}', "json", '{\n  "b": 1,\n  "a": [\n    true,\n    null\n  ]\n}'),
        ("json/plain", '"gr\u00fc\u00df"'.encode(), "json", '"gr\u00fc\u00df"'),
        ("json/plain", b"{not json", "json", "{not json"),
        ("json/protobuf", b"{}", "json", "{}"),
        ("binary/null", b"", "null", "null"),
        ("text/plain", b"hello\xff", "text", "hello\ufffd"),
        ("binary/encrypted", b"\x00\x01", "encrypted", "000000  00 01" + " " * 42 + "  .."),
        ("something/else", b"ab", "unknown", "000000  61 62" + " " * 42 + "  ab"),
        ("", b"", "unknown", ""),
    ],
)
def test_a_payload_is_shown_as_what_it_is(encoding: str, data: bytes, kind: str, text: str) -> None:
    view = payloads.view(made(encoding, data), 1000)
    assert (view.kind, view.text, view.truncated, view.size) == (kind, text, False, len(data))


def test_deeply_nested_json_is_shown_as_it_came() -> None:
    data = b"[" * 100_000 + b"]" * 100_000
    view = payloads.view(made("json/plain", data), 1_000)
    assert view.text == "[" * 1_000
    assert view.truncated


def test_two_megabytes_are_cut_and_not_parsed() -> None:
    data = b'{"x":"' + b"y" * 2_000_000 + b'"}'
    view = payloads.view(made("json/plain", data), 500, raw="/whole")
    assert view.text == '{"x":"' + "y" * 494
    assert (view.truncated, view.size, view.raw) == (True, len(data), "/whole")


def test_text_of_many_bytes_that_fits_is_not_called_cut() -> None:
    view = payloads.view(made("text/plain", "\u00fc".encode() * 400), 500)
    assert (len(view.text), view.truncated) == (400, False)


def test_bytes_are_cut_by_their_dump() -> None:
    assert payloads.view(made("binary/plain", bytes(1000)), 400).truncated
    assert not payloads.view(made("binary/plain", bytes(32)), 400).truncated


def test_the_message_type_of_protobuf_json_is_kept() -> None:
    assert payloads.view(made("json/protobuf", b"{}", messageType=b"a.B"), 100).type == "a.B"


def test_a_line_joins_values_and_ends_at_its_bound() -> None:
    values = [made("json/plain", b'"intro.md"'), made("binary/null", b""), made("binary/plain", b"1234")]
    assert payloads.line(values) == '"intro.md", null, 4 bytes'
    assert payloads.line([made("json/plain", b'{\n  "a": 1\n}')]) == '{ "a": 1 }'
    long = payloads.line([made("text/plain", b"z" * 10_000)] * 3)
    assert len(long) == bounds.PREVIEW_LINE
    assert long.endswith("…")


@pytest.mark.parametrize(("data", "text"), [(b'"Running"', "Running"), (b"3", ""), (b"{bad", ""), (b"[" * 100_000, "")])
def test_text_of_a_payload_is_its_string_or_nothing(data: bytes, text: str) -> None:
    assert payloads.text_of(made("json/plain", data)) == text
    assert payloads.text_of(made("text/plain", data)) == ""
