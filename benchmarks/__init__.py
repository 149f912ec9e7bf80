"""Benchmarks of outlive beside the other durable-execution engines: ``python -m benchmarks``."""
