"""Turns typed functions into tools."""
