"""Workflow semantics as functions of (state, input, now): no clock, no I/O, no randomness."""
