"""The asyncio shell around the core: loaded runs, task queues, timers, and the RPCs as coroutines."""
