"""Servers that speak Temporal's gRPC protocol, under the same worker and the same client."""
