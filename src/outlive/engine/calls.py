"""What the engine is told of a call besides its request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HTTP_CLIENT: Final = "temporal-server-http"  # who calls over HTTP and does not say who it is


@dataclass(frozen=True, slots=True)
class Call:
    """One RPC under way."""

    deadline: int = 0  # nanoseconds since the epoch; 0: the caller set none
    client_name: str = ""  # of the SDK or tool, such as temporal-python
    client_version: str = ""

    @property
    def from_sdk(self) -> bool:
        """Whether a worker library calls: only those are shown events that are not written yet."""
        return self.client_name not in ("temporal-cli", "temporal-ui", HTTP_CLIENT)
