"""Typed calls and replies: one file a section of the API."""
