"""Database and bus servers that tests start."""
