"""What tests of durable programs need."""
