"""The ledger over HTTP/1.1: small on purpose, since a call is made twice for each call of a model."""
