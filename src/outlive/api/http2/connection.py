"""HTTP/2's server side as a machine: bytes in, requests and bytes out; no input or output of its own.

A stream of ours is short: the peer sends headers and a body, and we answer once. So its life is

    (idle) --HEADERS--> RECEIVING --END_STREAM--> WAITING --answer--> SENDING --all sent--> (closed)

and RST_STREAM from either side closes it at any point.

Rules (all of them live in this file)
- A fault of one stream resets it; a fault of the connection raises `ConnectionFault` and ends it.
- Answers respect the peer's windows: what does not fit waits, whole, for a WINDOW_UPDATE.
- What we have reset or answered may still be sent to for a while: such frames are passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from outlive.api.http2 import bounds
from outlive.api.http2.frames import (
    HEADER,
    HEADER_SIZE,
    PREFACE,
    ConnectionFault,
    ErrorCode,
    Flag,
    Setting,
    Type,
    frame,
    goaway,
    reset,
    settings,
    unpadded,
    window_update,
)
from outlive.api.http2.headers import HeaderReader, Headers


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request has come."""

    stream: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A request's body has outgrown what is taken; the rest of it is passed over."""

    stream: int
    headers: Headers
    size: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The peer takes the request back."""

    stream: int


Event = Request | TooLarge | Cancelled


@dataclass(slots=True)
class _Stream:
    headers: Headers
    window: int  # what the peer takes of our answer
    body: list[bytes] = field(default_factory=list)
    size: int = 0
    received: bool = False  # the peer has ended its side
    refused: bool = False  # its body is passed over
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    trailers: bytes = b""


class Connection:
    """One connection. `receive` bytes, `answer` requests, and send what `take` gives."""

    def __init__(self, body_max: int) -> None:
        self._body_max = body_max
        self._in = b""
        self._out: list[bytes] = [
            settings(
                {
                    Setting.HEADER_TABLE_SIZE: 0,
                    Setting.MAX_CONCURRENT_STREAMS: bounds.STREAMS_MAX,
                    Setting.INITIAL_WINDOW_SIZE: bounds.STREAM_WINDOW,
                    Setting.MAX_HEADER_LIST_SIZE: bounds.HEADER_BLOCK_MAX,
                }
            ),
            window_update(0, bounds.CONNECTION_WINDOW - 65_535),
        ]
        self._headers = HeaderReader()
        self._streams: dict[int, _Stream] = {}
        self._blocked: dict[int, None] = {}  # streams whose answers wait for a window, oldest first
        self._last_stream = 0
        self._continued: tuple[int, int, bytearray] | None = None  # stream, flags, block so far
        self._window = 65_535  # what the peer takes of us on the whole connection
        self._initial_window = 65_535
        self._frame_size = 16_384
        self._consumed = 0
        self._idle_frames = 0
        self._resets = 0
        self.preface_seen = False
        self.unsent = 0  # bytes of answers that wait for a window

    # -- in

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take bytes from the peer. Raises ConnectionFault."""
        buffer = self._in + data if self._in else data
        at, end = 0, len(buffer)
        if not self.preface_seen:
            if end < len(PREFACE):
                if not PREFACE.startswith(buffer):
                    raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "not HTTP/2 with prior knowledge")
                self._in = buffer
                return
            if not buffer.startswith(PREFACE):
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "not HTTP/2 with prior knowledge")
            at = len(PREFACE)
            self.preface_seen = True
        while end - at >= HEADER_SIZE:
            high, low, kind, flags, stream = HEADER.unpack_from(buffer, at)
            size = high << 8 | low
            if size > bounds.FRAME_SIZE:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            if end - at - HEADER_SIZE < size:
                break
            payload = buffer[at + HEADER_SIZE : at + HEADER_SIZE + size]
            at += HEADER_SIZE + size
            yield from self._frame(kind, flags, stream & 0x7FFFFFFF, payload)
        self._in = buffer[at:]

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> Iterator[Event]:
        if self._continued is not None and (kind != Type.CONTINUATION or stream != self._continued[0]):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a header block was interrupted")
        if kind == Type.DATA:
            yield from self._data(flags, stream, payload)
        elif kind == Type.HEADERS:
            yield from self._begin_headers(flags, stream, payload)
        elif kind == Type.CONTINUATION:
            yield from self._continuation(flags, stream, payload)
        elif kind == Type.RST_STREAM:
            yield from self._rst_stream(stream, payload)
        else:
            self._idle_frames += 1
            if self._idle_frames > bounds.IDLE_FRAMES_MAX:
                raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many frames without a call")
            if kind == Type.SETTINGS:
                self._settings(flags, stream, payload)
            elif kind == Type.WINDOW_UPDATE:
                self._window_update(stream, payload)
            elif kind == Type.PING:
                self._ping(flags, stream, payload)
            elif kind == Type.PUSH_PROMISE:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "clients do not push")
            # PRIORITY, GOAWAY and kinds that we do not know need nothing done

    def _begin_headers(self, flags: int, stream: int, payload: bytes) -> Iterator[Event]:
        block = unpadded(flags, payload)
        if flags & Flag.PRIORITY:
            if len(block) < 5:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS without its priority")
            block = block[5:]
        if flags & Flag.END_HEADERS:
            yield from self._request_headers(flags, stream, block)
        else:
            self._continued = (stream, flags, bytearray(block))

    def _continuation(self, flags: int, stream: int, payload: bytes) -> Iterator[Event]:
        if self._continued is None:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without HEADERS")
        _, first_flags, block = self._continued
        block += payload
        self._idle_frames += 1
        if len(block) > bounds.HEADER_BLOCK_MAX or self._idle_frames > bounds.IDLE_FRAMES_MAX:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "a header block too large")
        if flags & Flag.END_HEADERS:
            self._continued = None
            yield from self._request_headers(first_flags, stream, bytes(block))

    def _request_headers(self, flags: int, stream: int, block: bytes) -> Iterator[Event]:
        headers = self._headers.read(block)
        if stream in self._streams:
            yield from self._request_trailers(flags, stream)
            return
        if not stream % 2 or stream <= self._last_stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"stream {stream} cannot be opened")
        self._last_stream = stream
        self._idle_frames = 0
        if len(self._streams) >= bounds.STREAMS_MAX:
            self._out.append(reset(stream, ErrorCode.REFUSED_STREAM))
            return
        opened = self._streams[stream] = _Stream(headers, self._initial_window)
        if flags & Flag.END_STREAM:
            opened.received = True
            yield Request(stream, headers, b"")

    def _request_trailers(self, flags: int, stream: int) -> Iterator[Event]:
        """Headers after the body: gRPC's clients send none, and ours mean nothing."""
        opened = self._streams[stream]
        if opened.received or not flags & Flag.END_STREAM:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "headers in the middle of a request")
        yield from self._ended(stream, opened)

    def _data(self, flags: int, stream: int, payload: bytes) -> Iterator[Event]:
        self._consumed += len(payload)
        if self._consumed >= bounds.WINDOW_REFILL:
            self._out.append(window_update(0, self._consumed))
            self._consumed = 0
        opened = self._streams.get(stream)
        if opened is None:
            if not stream or stream > self._last_stream:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"DATA for stream {stream}, which is not open")
            return
        if opened.received:
            raise ConnectionFault(ErrorCode.STREAM_CLOSED, "DATA after the end of a request")
        data = unpadded(flags, payload)
        if not data and not flags & Flag.END_STREAM:
            self._idle_frames += 1
            if self._idle_frames > bounds.IDLE_FRAMES_MAX:
                raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many empty frames")
        opened.size += len(data)
        if not opened.refused:
            if opened.size > self._body_max:
                opened.refused = True
                opened.body.clear()
                yield TooLarge(stream, opened.headers, opened.size)
            else:
                opened.body.append(data)
        if flags & Flag.END_STREAM and stream in self._streams:
            yield from self._ended(stream, opened)

    def _ended(self, stream: int, opened: _Stream) -> Iterator[Event]:
        opened.received = True
        if not opened.refused:
            body = opened.body[0] if len(opened.body) == 1 else b"".join(opened.body)
            opened.body.clear()
            yield Request(stream, opened.headers, body)

    def _rst_stream(self, stream: int, payload: bytes) -> Iterator[Event]:
        if len(payload) != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM of another size than 4")
        if not stream or stream > self._last_stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "RST_STREAM of an idle stream")
        if stream in self._streams:
            self._resets += 1
            if self._resets > bounds.RESETS_MAX:
                raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many calls taken back")
            self._forget(stream)
            yield Cancelled(stream)

    def _settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & Flag.ACK:
            if payload:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "an acknowledgement with settings")
            self._headers.table_refused()
            return
        if len(payload) % 6:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of a size that is none")
        for key, value in struct.iter_unpack(">HI", payload):
            if key == Setting.INITIAL_WINDOW_SIZE:
                self._set_initial_window(value)
            elif key == Setting.MAX_FRAME_SIZE:
                if not 16_384 <= value <= 16_777_215:
                    raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE out of range")
                self._frame_size = min(value, 65_536)
            elif key == Setting.ENABLE_PUSH and value > 1:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS_ENABLE_PUSH is neither 0 nor 1")
        self._out.append(frame(Type.SETTINGS, Flag.ACK, 0))
        self._unblock()

    def _set_initial_window(self, value: int) -> None:
        if value > bounds.WINDOW_MAX:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE out of range")
        change = value - self._initial_window
        self._initial_window = value
        for stream in self._streams.values():
            stream.window += change

    def _window_update(self, stream: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE of another size than 4")
        size = struct.unpack(">I", payload)[0] & 0x7FFFFFFF
        opened = self._streams.get(stream)
        if not stream:
            self._window += size
        elif opened is not None:
            opened.window += size
        elif stream > self._last_stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of an idle stream")
        else:
            return
        window = self._window if opened is None else opened.window
        if not size or window > bounds.WINDOW_MAX:
            code = ErrorCode.PROTOCOL_ERROR if not size else ErrorCode.FLOW_CONTROL_ERROR
            raise ConnectionFault(code, f"WINDOW_UPDATE by {size}")
        self._unblock()

    def _ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "PING of another size than 8")
        if not flags & Flag.ACK:
            self._out.append(frame(Type.PING, Flag.ACK, 0, payload))

    # -- out

    def answer(self, stream: int, headers: bytes, body: bytes, trailers: bytes) -> None:
        """Answer a request. With an empty body and no trailers, headers alone end the stream."""
        opened = self._streams.get(stream)
        if opened is None:
            return  # it was taken back
        self._resets = max(0, self._resets - 1)
        if not trailers:
            self._out.append(frame(Type.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, stream, headers))
            self._close(stream, opened)
            return
        self._out.append(frame(Type.HEADERS, Flag.END_HEADERS, stream, headers))
        opened.unsent = memoryview(body)
        opened.trailers = trailers
        self.unsent += len(body)
        self._send(stream, opened)

    def _send(self, stream: int, opened: _Stream) -> None:
        """Send of an answer what the windows take; the rest waits."""
        while opened.unsent:
            size = min(len(opened.unsent), opened.window, self._window, self._frame_size)
            if size <= 0:
                self._blocked[stream] = None
                return
            self._out.append(frame(Type.DATA, 0, stream, bytes(opened.unsent[:size])))
            opened.unsent = opened.unsent[size:]
            opened.window -= size
            self._window -= size
            self.unsent -= size
        flags = Flag.END_HEADERS | Flag.END_STREAM
        self._out.append(frame(Type.HEADERS, flags, stream, opened.trailers))
        self._close(stream, opened)

    def _unblock(self) -> None:
        for stream in list(self._blocked):
            if self._window <= 0:
                return
            del self._blocked[stream]
            self._send(stream, self._streams[stream])

    def _close(self, stream: int, opened: _Stream) -> None:
        """The answer is out. A peer that is still sending is told to stop."""
        if not opened.received:
            self._out.append(reset(stream, ErrorCode.NO_ERROR))
        self._forget(stream)

    def _forget(self, stream: int) -> None:
        opened = self._streams.pop(stream)
        self.unsent -= len(opened.unsent)
        self._blocked.pop(stream, None)

    def drain(self, code: ErrorCode = ErrorCode.NO_ERROR, reason: str = "") -> None:
        """Tell the peer that no new calls are taken."""
        self._out.append(goaway(self._last_stream, code, reason))

    def take(self) -> bytes:
        """The bytes to send now."""
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        return data

    @property
    def has_output(self) -> bool:
        return bool(self._out)
