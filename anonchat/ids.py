"""Random names for things: known before anything is stored, and telling nothing."""

import secrets

LEGIBLE = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters that nobody mistakes for another."""


def new_id() -> str:
    """Return an id of 96 random bits, fit for a key that is no secret."""
    return secrets.token_urlsafe(12)


def new_token() -> str:
    """Return a secret of 256 random bits, fit to prove who one is."""
    return secrets.token_urlsafe(32)


def new_link() -> str:
    """Return 132 random bits in letters that survive being copied: an unlisted room's address."""
    return "".join(secrets.choice(LEGIBLE) for _ in range(27))
