"""What every activity does around its work: note the attempt, heartbeat, and say which errors are final."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity
from temporalio.exceptions import ApplicationError

from examples.research_pipeline.models import ModelRefused
from examples.research_pipeline.store.trace import Trace
from outlive.ai.documents import SourceNotFound

_FINAL = (ModelRefused, SourceNotFound)
_BEATS_PER_TIMEOUT = 3
"""Two beats may be lost before the server takes the worker for dead."""


@asynccontextmanager
async def step(trace: Trace, run: str, name: str, subject: str = "") -> AsyncIterator[None]:
    """Record this attempt of the running activity, and heartbeat until the body ends.

    Errors that no retry can cure become non-retryable application errors.
    """
    attempt = trace.begin_attempt(run, name, subject, activity.info().attempt, time.time())
    beating = asyncio.create_task(_heartbeat())
    outcome = "done"
    try:
        yield
    except _FINAL as error:
        outcome = str(error)
        raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
        raise
    finally:
        beating.cancel()
        trace.end_attempt(attempt, outcome, time.time())


async def _heartbeat() -> None:
    timeout = activity.info().heartbeat_timeout
    while timeout:
        activity.heartbeat()
        await asyncio.sleep(timeout.total_seconds() / _BEATS_PER_TIMEOUT)
