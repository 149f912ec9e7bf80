"""The systems that are compared: one module for each engine, all with the interface of `base`."""
