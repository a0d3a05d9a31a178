"""syncd keeps property visits and agents' calendars true to each other. See docs/architecture.md."""

__version__ = "0.1.0"
