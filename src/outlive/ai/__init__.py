"""The AI toolkit: a client of the ledger, on the public SDK alone, so that it works on any Temporal server."""
