"""Where a person's data goes on each system."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def data_folder() -> Path:
    """The folder for outlive's data: XDG on Unix, Application Support on macOS, AppData on Windows."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "outlive"
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "outlive"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "outlive"
