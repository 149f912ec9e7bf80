"""`make conformance`: the recorded scenarios against this server. Arguments go to the runner.

The scenarios are in `$OUTLIVE_SHARED/conformance` (default ../shared). The exit status is the runner's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

SHARED = Path(os.environ.get("OUTLIVE_SHARED", "../shared")) / "conformance"
BUILT = r"^(starts|workflow_tasks|timers|activities|signals|queries|children|limits|operations|updates|scheduling)\."
ATTRIBUTES = (
    "Keyword=Keyword",
    "Text=Text",
    "String=Keyword",
    "Int=Int",
    "Datetime=Datetime",
    "Double=Double",
    "Bool=Bool",
)


def main() -> int:
    """Run the scenarios of what is built, or those that the arguments name."""
    if not (SHARED / "run.py").is_file():
        print(f"conformance: {SHARED} has no run.py: set OUTLIVE_SHARED to the folder above it.", file=sys.stderr)
        return 2
    command = [sys.executable, "-m", "outlive", "server", "start-dev", "--headless", "--port", "0"]
    command += ["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=50"]
    for attribute in ATTRIBUTES:
        name, kind = attribute.split("=")
        command += ["--search-attribute", f"Custom{name}Field={kind}"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = re.match(r"Server: (\S+)", server.stdout.readline())
        assert address is not None, "the server says where it listens"
        arguments = sys.argv[1:] or ["--only", BUILT, "--jobs", "12"]
        runner = [sys.executable, "run.py", "--address", address[1], "--compare", "recorded/temporal-1.32.0"]
        return subprocess.run([*runner, *arguments], cwd=SHARED, check=False).returncode
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
