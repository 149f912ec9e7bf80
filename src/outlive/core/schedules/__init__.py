"""Schedules: which actions they take, and when, as functions of what is known of them and the time."""
