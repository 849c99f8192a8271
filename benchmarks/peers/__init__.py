"""Servers that anonchat is compared with; each does the same work."""
