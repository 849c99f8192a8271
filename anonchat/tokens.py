"""Tokens by which visitors are recognised."""

import hmac

from .ids import new_token
from .seal import Hasher

_BARE_CHARACTERS = 43
_SIGNATURE_CHARACTERS = 22


class TokenSigner:
    """Makes tokens that are told from invented ones without asking the database."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher

    def make_token(self) -> str:
        """Return a new token: 256 random bits, and a signature of them."""
        bare = new_token()
        return bare + self._sign(bare)

    def is_signed(self, token: str) -> bool:
        """Return whether a token was made here; nothing is said of whether it is still valid."""
        bare, signature = token[:_BARE_CHARACTERS], token[_BARE_CHARACTERS:]
        return hmac.compare_digest(self._sign(bare).encode(), signature.encode("utf-8", "replace"))

    def could_be_unsigned(self, token: str) -> bool:
        """Return whether a token looks like those that were made before tokens were signed."""
        return len(token) == _BARE_CHARACTERS

    def _sign(self, bare: str) -> str:
        return self._hasher.hash("token", bare).hex()[:_SIGNATURE_CHARACTERS]
