"""Signed tokens that authenticate visitors."""

import hmac
from base64 import urlsafe_b64encode

from ..crypto import Hasher
from ..ids import new_token

_RANDOM_CHARACTERS = 43
_SIGNATURE_CHARACTERS = 22


class TokenSigner:
    """Makes tokens whose signature is checked without a database query."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher

    def make_token(self, attempt: str = "") -> str:
        """Return a new token: 256 random bits and their signature.

        An attempt always gets the same token, which only the holder of the hash key can tell.
        """
        random_part = new_token()
        if attempt:
            hash = self._hasher.hash("attempt", attempt)
            random_part = urlsafe_b64encode(hash).decode().rstrip("=")
        return random_part + self._sign(random_part)

    def is_signed(self, token: str) -> bool:
        """Return whether the signature is valid; the token itself may have been revoked."""
        random_part, signature = token[:_RANDOM_CHARACTERS], token[_RANDOM_CHARACTERS:]
        return hmac.compare_digest(
            self._sign(random_part).encode(), signature.encode("utf-8", "replace")
        )

    def could_be_unsigned(self, token: str) -> bool:
        """Return whether a token has the length of the unsigned tokens of earlier versions."""
        return len(token) == _RANDOM_CHARACTERS

    def _sign(self, random_part: str) -> str:
        return self._hasher.hash("token", random_part).hex()[:_SIGNATURE_CHARACTERS]
