"""Programs to read, run and copy. Each uses the official SDK alone and works against any Temporal server."""
