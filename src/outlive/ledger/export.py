"""The book as a file: CSV, and Parquet with `pip install 'outlive[parquet]'`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import fields
from typing import Any

from outlive.ledger.errors import BadRequest
from outlive.ledger.types import Attempt, AttemptPage, Filter
from outlive.limits import PAGE_SIZE_MAX

Pages = Callable[..., Coroutine[Any, Any, AttemptPage]]
COLUMNS = tuple(field.name for field in fields(Attempt))
_KINDS = {field.name: str(field.type) for field in fields(Attempt)}


async def _pages(attempts: Pages, where: Filter) -> AsyncIterator[tuple[Attempt, ...]]:
    after = ""
    while True:
        page = await attempts(where, limit=PAGE_SIZE_MAX, after=after)
        yield page.attempts
        after = page.next
        if not after:
            return


async def csv_of(attempts: Pages, where: Filter) -> AsyncIterator[bytes]:
    """The rows as CSV with a header, newest first; labels as JSON. `attempts` is a ledger's method."""
    yield _csv([COLUMNS])
    async for page in _pages(attempts, where):
        yield _csv([[_cell(getattr(attempt, name)) for name in COLUMNS] for attempt in page])


def _csv(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """A cell; text that a spreadsheet would take for a formula is made plain text."""
    if isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"))
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t"):
        return "'" + value
    return value


async def parquet_of(attempts: Pages, where: Filter) -> bytes:
    """The rows as one Parquet file. Raises BadRequest where the package for it is missing."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise BadRequest(
            "Parquet needs one more package where the ledger runs: pip install 'outlive[parquet]'."
        ) from None
    kinds = {"int": pyarrow.int64(), "bool": pyarrow.bool_(), "float | None": pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds.get(_KINDS[name], pyarrow.string())) for name in COLUMNS])
    target = io.BytesIO()
    with pyarrow.parquet.ParquetWriter(target, schema) as writer:
        async for page in _pages(attempts, where):
            columns = {name: [_plain(getattr(attempt, name)) for attempt in page] for name in COLUMNS}
            writer.write_table(pyarrow.table(columns, schema=schema))
    return target.getvalue()


def _plain(value: Any) -> Any:
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else value
