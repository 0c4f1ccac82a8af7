"""The HTTP front of the core."""
