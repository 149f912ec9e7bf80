"""Small measurements of single building blocks: one gRPC call, one SQLite commit."""
