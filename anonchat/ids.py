"""Random ids and tokens, made before anything is stored; they reveal nothing."""

import secrets

UNAMBIGUOUS_CHARACTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits that are not confused with each other."""


def new_id() -> str:
    """Return an id of 96 random bits, for keys that are not secret."""
    return secrets.token_urlsafe(12)


def new_token() -> str:
    """Return a secret of 256 random bits, for authentication."""
    return secrets.token_urlsafe(32)


def new_unlisted_slug() -> str:
    """Return 132 random bits in unambiguous letters: the slug of an unlisted room."""
    return "".join(secrets.choice(UNAMBIGUOUS_CHARACTERS) for _ in range(27))
