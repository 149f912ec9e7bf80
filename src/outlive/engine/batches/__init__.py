"""Batch operations: one request, many runs."""
