"""Command line: admin commands, preflight checks and the admin socket."""
