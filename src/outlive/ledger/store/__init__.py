"""The ledger's file or database: one port (`port.py`), SQLite and PostgreSQL behind it, one schema."""
