"""Commands that speak to a server, through the gRPC client only: they work on any server of Temporal's API."""
