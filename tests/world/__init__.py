"""The deterministic simulation: the whole program over virtual time, with faulty providers, crashes and invariants."""
