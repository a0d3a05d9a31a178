"""The deterministic simulation: the whole program over virtual time, with faulty providers and crashes, against invariants."""
