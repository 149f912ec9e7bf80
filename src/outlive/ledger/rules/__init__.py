"""Pure rules: no input or output, no clock. Times are nanoseconds and are handed in."""
