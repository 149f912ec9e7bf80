"""The file's version: a new file gets the schema, an older one is brought up, a newer one is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import apsw

from outlive.errors import StartupError
from outlive.store.schema import APPLICATION_ID, VERSION, schema

Migration = Callable[[apsw.Connection], None]

MIGRATIONS: Sequence[Migration] = (lambda connection: None,)
"""MIGRATIONS[n] brings version n + 1 to n + 2, as far as `add_missing`, which follows, does not.

What only adds tables, indexes, triggers or columns needs nothing here. The schema for a new file is always
the newest.
"""


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
            add_missing(connection)
        connection.pragma("user_version", version)


def add_missing(connection: apsw.Connection) -> None:
    """Add whatever today's schema has and the file lacks; rows that are there get the columns' defaults."""
    newest = apsw.Connection(":memory:")
    newest.execute(schema())
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    # tables first, then what hangs on them: an index or a trigger may name a column that is added here
    wanted = list(newest.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
    shadows = {name for (name,) in newest.execute("SELECT name FROM pragma_table_list WHERE type = 'shadow'")}
    for kind, name, sql in sorted(wanted, key=lambda row: row[0] != "table"):
        if name in shadows:
            continue  # its virtual table makes it
        if name not in there:
            connection.execute(sql)
        elif kind == "table":
            _add_columns(connection, newest, name)
    newest.close()


def _add_columns(connection: apsw.Connection, newest: apsw.Connection, table: str) -> None:
    columns = 'SELECT name, type, "notnull", dflt_value FROM pragma_table_info(?)'
    there = {row[0] for row in connection.execute(columns, (table,))}
    for name, kind, not_null, default in newest.execute(columns, (table,)):
        if name not in there:
            rule = f" NOT NULL DEFAULT {default}" if not_null else ""
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}{rule}")
