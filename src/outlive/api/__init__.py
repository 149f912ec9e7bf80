"""The protocol's edge: gRPC in, checked requests to the engine, answers and errors out."""
