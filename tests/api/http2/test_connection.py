"""The HTTP/2 machine: what it makes of good frames, of bad ones, and of noise."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlive.api.http2 import bounds
from outlive.api.http2.connection import Cancelled, Connection, Event, Request, TooLarge
from outlive.api.http2.frames import PREFACE, ConnectionFault, ErrorCode, Flag, Setting, Type, frame
from outlive.api.http2.frames import settings as send
from outlive.api.http2.headers import block

BODY_MAX = 100_000
HEADERS = block(((":method", "POST"), (":path", "/a/b"), ("content-type", "application/grpc")))
GREETING = PREFACE + send({}) + frame(Type.SETTINGS, Flag.ACK, 0)


def connected() -> Connection:
    connection = Connection(BODY_MAX)
    assert list(connection.receive(GREETING)) == []
    connection.take()
    return connection


def receive(connection: Connection, *frames: bytes) -> list[Event]:
    return list(connection.receive(b"".join(frames)))


def call(stream: int, body: bytes = b"body") -> bytes:
    return frame(Type.HEADERS, Flag.END_HEADERS, stream, HEADERS) + frame(Type.DATA, Flag.END_STREAM, stream, body)


def parsed(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """(kind, flags, stream, payload) of each frame."""
    found = []
    while data:
        size = int.from_bytes(data[:3], "big")
        stream = struct.unpack(">I", data[5:9])[0]
        found.append((data[3], data[4], stream, data[9 : 9 + size]))
        data = data[9 + size :]
    return found


def test_a_request_whole_and_byte_by_byte() -> None:
    (whole,) = receive(connected(), call(1))
    connection = connected()
    bits = [event for byte in call(1) for event in connection.receive(bytes((byte,)))]
    assert bits == [whole]
    assert isinstance(whole, Request)
    assert (whole.stream, whole.body, whole.headers[":path"]) == (1, b"body", "/a/b")


def test_headers_in_pieces_padding_and_priority() -> None:
    connection = connected()
    padded = bytes((3,)) + b"\0\0\0\0\x10" + HEADERS[:5] + b"\0\0\0"
    events = receive(
        connection,
        frame(Type.HEADERS, Flag.PADDED | Flag.PRIORITY, 1, padded),
        frame(Type.CONTINUATION, Flag.END_HEADERS, 1, HEADERS[5:]),
        frame(Type.DATA, Flag.END_STREAM | Flag.PADDED, 1, b"\x02xy\0\0"),
    )
    assert [e.body for e in events if isinstance(e, Request)] == [b"xy"]


def test_answers_wait_for_windows() -> None:
    connection = Connection(BODY_MAX)
    receive(connection, PREFACE, send({Setting.INITIAL_WINDOW_SIZE: 10}), frame(Type.SETTINGS, Flag.ACK, 0), call(1))
    connection.take()
    connection.answer(1, b"\x88", bytes(range(25)), b"\x88")
    sent = [(kind, payload) for kind, _, _, payload in parsed(connection.take())]
    assert sent == [(Type.HEADERS, b"\x88"), (Type.DATA, bytes(range(10)))]
    receive(connection, frame(Type.WINDOW_UPDATE, 0, 1, struct.pack(">I", 10)))
    assert [p for _, _, _, p in parsed(connection.take())] == [bytes(range(10, 20))]
    receive(connection, frame(Type.WINDOW_UPDATE, 0, 1, struct.pack(">I", 100)))
    kinds = [(k, f & Flag.END_STREAM) for k, f, _, _ in parsed(connection.take())]
    assert kinds == [(Type.DATA, 0), (Type.HEADERS, Flag.END_STREAM)]
    assert connection.unsent == 0


def test_a_body_too_large_is_told_once_and_the_rest_passed_over() -> None:
    connection = connected()
    chunk = frame(Type.DATA, 0, 1, bytes(16_000))
    events = receive(connection, frame(Type.HEADERS, Flag.END_HEADERS, 1, HEADERS), *[chunk] * 10)
    assert [type(e) for e in events] == [TooLarge]
    connection.answer(1, b"\x88", b"", b"")
    assert receive(connection, frame(Type.DATA, Flag.END_STREAM, 1, b"late")) == []
    assert [e.stream for e in receive(connection, call(3)) if isinstance(e, Request)] == [3]


def test_a_call_taken_back() -> None:
    connection = connected()
    events = receive(connection, call(1), frame(Type.RST_STREAM, 0, 1, struct.pack(">I", ErrorCode.CANCEL)))
    assert events[1] == Cancelled(1)
    connection.answer(1, b"\x88", b"late", b"\x88")
    assert not connection.has_output


def test_pings_are_answered() -> None:
    connection = connected()
    receive(connection, frame(Type.PING, 0, 0, b"12345678"))
    assert parsed(connection.take()) == [(Type.PING, Flag.ACK, 0, b"12345678")]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (frame(Type.HEADERS, Flag.END_HEADERS, 2, HEADERS), ErrorCode.PROTOCOL_ERROR),
        (frame(Type.HEADERS, Flag.END_HEADERS, 1, b"\xff\xff\xff"), ErrorCode.COMPRESSION_ERROR),
        (frame(Type.DATA, 0, 9, b"x"), ErrorCode.PROTOCOL_ERROR),
        (frame(Type.CONTINUATION, 0, 1, b"x"), ErrorCode.PROTOCOL_ERROR),
        (frame(Type.HEADERS, 0, 1, HEADERS) + frame(Type.PING, 0, 0, bytes(8)), ErrorCode.PROTOCOL_ERROR),
        (frame(Type.PING, 0, 0, b"short"), ErrorCode.FRAME_SIZE_ERROR),
        (frame(Type.WINDOW_UPDATE, 0, 0, bytes(4)), ErrorCode.PROTOCOL_ERROR),
        (frame(Type.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), ErrorCode.FLOW_CONTROL_ERROR),
        (frame(Type.SETTINGS, 0, 0, b"12345"), ErrorCode.FRAME_SIZE_ERROR),
        (frame(Type.PUSH_PROMISE, 0, 1, b""), ErrorCode.PROTOCOL_ERROR),
        (b"\xff\xff\xff\0\0\0\0\0\0", ErrorCode.FRAME_SIZE_ERROR),
        (frame(Type.DATA, Flag.PADDED, 1, b"\x09"), ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_broken_frames_end_the_connection_with_their_code(bad: bytes, code: ErrorCode) -> None:
    with pytest.raises(ConnectionFault) as fault:
        receive(connected(), bad)
    assert fault.value.code == code


def test_floods_are_bounded() -> None:
    with pytest.raises(ConnectionFault) as fault:
        receive(connected(), frame(Type.PING, 0, 0, bytes(8)) * (bounds.IDLE_FRAMES_MAX + 1))
    assert fault.value.code == ErrorCode.ENHANCE_YOUR_CALM
    connection = connected()
    take_back = struct.pack(">I", ErrorCode.CANCEL)
    with pytest.raises(ConnectionFault) as fault:
        for stream in range(1, 2 * bounds.RESETS_MAX + 4, 2):
            receive(connection, call(stream), frame(Type.RST_STREAM, 0, stream, take_back))
    assert fault.value.code == ErrorCode.ENHANCE_YOUR_CALM
    with pytest.raises(ConnectionFault):
        receive(
            connected(),
            frame(Type.HEADERS, 0, 1, HEADERS),
            *[frame(Type.CONTINUATION, 0, 1, bytes(16_000))] * 6,
        )


_FRAMES = st.builds(
    frame,
    st.sampled_from(list(Type)),
    st.integers(0, 255),
    st.integers(0, 9),
    st.one_of(st.binary(max_size=40), st.just(HEADERS), st.just(struct.pack(">I", 8))),
)


@given(st.lists(st.one_of(_FRAMES, st.binary(max_size=30)), max_size=30), st.integers(1, 50))
@settings(max_examples=1500, deadline=None)
def test_noise_is_never_more_than_a_fault(pieces: list[bytes], size: int) -> None:
    """Random frames, cut anywhere: events, or a `ConnectionFault`, and nothing kept beyond the bounds."""
    connection = Connection(BODY_MAX)
    data = GREETING + b"".join(pieces)
    try:
        for at in range(0, len(data), size):
            for event in connection.receive(data[at : at + size]):
                if isinstance(event, Request):
                    connection.answer(event.stream, b"\x88", event.body, b"\x88")
            connection.take()
    except ConnectionFault:
        connection.drain()
    assert connection.unsent <= len(data)
