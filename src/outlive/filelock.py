"""One server to a file: a lock that the operating system lets go of when the process ends, however."""

from __future__ import annotations

import sys
from pathlib import Path

from outlive.base_errors import StartupError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class FileLock:
    """Holds `<database>.lock` for as long as it lives. Raises StartupError if another process does."""

    def __init__(self, database: Path) -> None:
        if database.is_dir():
            raise StartupError(f"{database} cannot be opened: it is a folder, name a file in it.")
        path = database.with_name(database.name + ".lock")
        try:
            self._file = open(path, "a+b")  # noqa: SIM115 - held open on purpose
        except FileNotFoundError:
            raise StartupError(
                f"{database} cannot be made: the folder {database.parent} does not exist. Make it, or name another."
            ) from None
        except OSError as error:
            raise StartupError(f"{database} cannot be opened: {error.strerror or error}.") from None
        try:
            if sys.platform == "win32":
                msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise StartupError(
                f"{database} is in use by another outlive server: stop that one, or name another file."
            ) from None

    def release(self) -> None:
        self._file.close()
