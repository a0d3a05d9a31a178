"""The HTTP side of the daemon: hooks, API, feeds, the mounted CalDAV server, operations."""
