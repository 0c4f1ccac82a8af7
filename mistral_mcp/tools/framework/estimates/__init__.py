"""Dry runs: what a call would cost at least and at most, found without anything that is paid for."""
