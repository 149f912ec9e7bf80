"""A durable research pipeline: documents in, a cited report out, no model call paid for twice."""
