"""Floods of one site by one client, one way in at a time; loopback only (see flood.py)."""
