"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

import apsw
import psutil


def describe() -> dict[str, str]:
    """The machine and the versions that every system shares, for the head of the table."""
    load = psutil.getloadavg()
    memory = psutil.virtual_memory().total
    return {
        "cores": str(len(psutil.Process().cpu_affinity() or ()) if _has_affinity() else os.cpu_count()),
        "memory": f"{memory / 2**30:.0f} GiB",
        "platform": platform.platform(),
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "temporalio": version("temporalio"),
        "load before": f"{load[0]:.2f} {load[1]:.2f} {load[2]:.2f}",
    }


def _has_affinity() -> bool:
    return hasattr(psutil.Process, "cpu_affinity")
