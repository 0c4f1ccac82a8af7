"""The HTTP app of the core."""
