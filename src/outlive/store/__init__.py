"""Where executions are kept: the port that the engine knows, and SQLite behind it."""
