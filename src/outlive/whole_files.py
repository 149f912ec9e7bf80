"""Files that are whole and durable, or not there, whenever the machine stops."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes, part: Path) -> None:
    """Write a file by way of `part`, a name in an existing folder of the same file system that nobody else writes to.

    The bytes and the name are on disk once this returns. The file's own folder must be there.
    """
    with open(part, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    if os.name != "nt":  # the name, too, must be on disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
