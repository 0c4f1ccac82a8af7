"""Fixtures that these tests share."""

from tests.install.machines import machine, program, put

__all__ = ["machine", "program", "put"]
