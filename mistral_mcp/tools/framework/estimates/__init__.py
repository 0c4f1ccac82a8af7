"""Dry runs: the lowest and highest cost of a call, found without any paid request."""
