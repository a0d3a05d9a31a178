"""One verb per file: load, decide in core, save. A flow never keeps a transaction open over the network."""
