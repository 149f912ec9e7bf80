"""View models: what a page says, as dataclasses, from the gRPC client's answers. Templates render them."""
