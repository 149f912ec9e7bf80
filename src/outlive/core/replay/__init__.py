"""The state of a run, built again from its history. `replay.py` is the way in."""
