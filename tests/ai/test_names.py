"""The names of the package, whichever of its modules has been loaded before."""

from __future__ import annotations

import subprocess
import sys

LOOK = """
from outlive import ai
import outlive.ai.plugin  # loads the others
for name in ai.__all__:
    assert callable(getattr(ai, name)), name
"""


def test_no_module_hides_a_name() -> None:
    ended = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
