"""Every bound of the transport, with its unit and its reason."""

from __future__ import annotations

from typing import Final

from outlive.limits import GRPC_MESSAGE_MAX, KIB, MIB

PREFACE_SECONDS: Final = 10.0  # a connection that has said nothing by then is closed
STREAMS_MAX: Final = 20_000  # calls at once on a connection: long polls of many workers share one
HEADER_BLOCK_MAX: Final = 64 * KIB  # bytes of one header block, CONTINUATION frames included
HEADER_MEMO_MAX: Final = 512  # decoded header blocks kept: an SDK has about one for each method
FRAME_SIZE: Final = 16 * KIB  # the largest frame that we take: the protocol's default
STREAM_WINDOW: Final = GRPC_MESSAGE_MAX + MIB  # a whole request fits, so it never has to be refilled
CONNECTION_WINDOW: Final = 2**30  # bytes that a peer may send before we refill; bodies are bounded above
WINDOW_REFILL: Final = 2**24  # bytes consumed, then the connection's window is given back
WINDOW_MAX: Final = 2**31 - 1  # the protocol's own limit
BUFFERED_OUT_MAX: Final = 64 * MIB  # a peer that does not read its answers is cut off here
IDLE_FRAMES_MAX: Final = 10_000  # frames that carry no call, between two calls: a flood of pings ends here
RESETS_MAX: Final = 2_000  # calls that a peer took back, beyond those it let finish: rapid reset ends here
"""An SDK that shuts down takes back its polls, some hundreds at most."""
