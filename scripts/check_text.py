"""Refuses committed text that names a machine's paths or a package registry's host."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FORBIDDEN = re.compile(
    r"/(?:root|home/\w+)/|/work/(?:main|shared|tmp|\.)|pypi\.(?:org|python)|registry\.npmjs|pythonhosted"
)
SELF = Path("scripts/check_text.py")


def main() -> int:
    """Exit status 1 with a line for each place found."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True).stdout.decode()
    found = 0
    for name in filter(None, listed.split("\0")):
        path = Path(name)
        if path == SELF or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if FORBIDDEN.search(line):
                print(f"{name}:{number}: names a path of this machine or a registry's host")
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
