"""Keeps one caller's request from slowing another's: work in turns, sizes checked before parsing."""
