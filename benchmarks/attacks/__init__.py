"""Attacks on a server by one client, one at a time; loopback only (see flood.py)."""
