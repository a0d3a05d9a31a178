"""Pure decisions over values: no clock, no randomness, no I/O, no logging."""
