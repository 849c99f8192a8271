"""The one deadline of tests for something that happens soon, unless the program is broken."""

DEADLINE = 240
"""Seconds that every such wait may take: enough for an overloaded machine."""
