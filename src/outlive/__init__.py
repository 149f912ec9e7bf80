"""outlive: durable execution for AI pipelines. Your function outlives the process that runs it."""

__version__ = "0.1.0"
