"""The file's version: a new file gets the schema, an older one is brought up, a newer one is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import apsw

from outlive.errors import StartupError
from outlive.store.schema import APPLICATION_ID, VERSION, schema

Migration = Callable[[apsw.Connection], None]

MIGRATIONS: Sequence[Migration] = ()
"""MIGRATIONS[n] brings version n + 1 to n + 2. The schema for a new file is always the newest."""


def prepare(
    connection: apsw.Connection, name: str, *, migrations: Sequence[Migration] = MIGRATIONS, version: int = VERSION
) -> None:
    """Make the file ready, in one transaction. `name` is the file as people know it, for messages."""
    found = int(connection.pragma("user_version"))
    application = int(connection.pragma("application_id"))
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if tables and application != APPLICATION_ID:
        raise StartupError(f"{name} is a database of another program: name another file with --db-filename.")
    if found > version:
        raise StartupError(
            f"{name} was written by a newer outlive (file version {found}, this one knows {version}): "
            "upgrade with `pip install --upgrade outlive`."
        )
    if found == version:
        return
    with connection:
        if not tables:
            connection.execute(schema())
            connection.pragma("application_id", APPLICATION_ID)
        else:
            for migrate in migrations[found - 1 :]:
                migrate(connection)
        connection.pragma("user_version", version)
