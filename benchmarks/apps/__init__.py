"""The programs under load: one worker for each engine, each run in its own process."""
