"""What a worker may ask for when it completes a workflow task: one module per kind of thing."""
