"""Resets: a run goes on as a new one, from a point of its history. `new_run.py` is the way in."""
