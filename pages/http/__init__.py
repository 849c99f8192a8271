"""HTTP middleware and session authentication."""
