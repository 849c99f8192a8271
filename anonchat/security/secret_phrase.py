"""Hashes secret phrases and derives their badges; hashes the passwords of rooms.

The stored phrase key is a salt followed by a keyed hash. The salt is derived from the nickname, so
the same phrase under another nickname has an unrelated key. In earlier versions all nicknames of a
site shared one salt, which was not stored: such old keys are recognised by their length.
"""

import hmac
import unicodedata
from dataclasses import dataclass

from ..crypto import SALT_BYTES, Hasher
from ..errors import N_, InvalidPassword, InvalidPhrase
from ..ids import UNAMBIGUOUS_CHARACTERS

_CHARACTERS = range(8, 201)
_RAW_CHARACTERS_MAX = 400
_PASSWORD_CHARACTERS = 200
_BADGE_CHARACTERS = 5
_OLD_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class PhraseProof:
    """Key and badge of a phrase for one nickname; `legacy_key` is the key of earlier versions."""

    key: bytes
    badge: str
    legacy_key: bytes | None = None

    def matches(self, phrase_key: bytes | None) -> bool:
        """Return whether the stored `phrase_key` was made from this phrase."""
        return keys_equal(self.key, phrase_key) or keys_equal(self.legacy_key, phrase_key)


def normalize_phrase(phrase: str) -> str:
    """Return the phrase normalized for hashing; raise `InvalidPhrase` if its length is invalid.

    An empty phrase is valid.
    """
    if not isinstance(phrase, str):
        raise InvalidPhrase(N_("That is not a text."))
    if len(phrase) > _RAW_CHARACTERS_MAX:  # normalizing a long text is slow
        raise _length_error()
    phrase = unicodedata.normalize("NFKC", phrase).strip()
    if phrase and len(phrase) not in _CHARACTERS:
        raise _length_error()
    return phrase


def normalize_password(password: str) -> str:
    """Return the password of a room normalized for hashing; an empty one is valid.

    Raises `InvalidPassword` if it is too long.
    """
    if not isinstance(password, str):
        raise InvalidPassword(N_("That is not a text."))
    too_long = InvalidPassword(
        N_("That is too long: {most} characters at most."), most=_PASSWORD_CHARACTERS
    )
    if len(password) > _RAW_CHARACTERS_MAX:
        raise too_long
    password = unicodedata.normalize("NFKC", password).strip()
    if len(password) > _PASSWORD_CHARACTERS:
        raise too_long
    return password


def require_phrase(phrase: str) -> str:
    """Return the normalized phrase; raise `InvalidPhrase` also if it is empty."""
    normalized = normalize_phrase(phrase)
    if not normalized:
        raise _length_error()
    return normalized


def make_proof(hasher: Hasher, phrase: str, salt: bytes) -> PhraseProof:
    """Hash a phrase; slow (see `Hasher.hash_phrase`)."""
    stretched = hasher.hash_phrase(phrase, salt)
    badge = "".join(
        UNAMBIGUOUS_CHARACTERS[byte % len(UNAMBIGUOUS_CHARACTERS)]
        for byte in stretched[:_BADGE_CHARACTERS]
    )
    return PhraseProof(salt + hasher.hash("proof", stretched.hex()), badge)


def make_legacy_key(hasher: Hasher, phrase: str) -> bytes:
    """Hash a phrase in the format of earlier versions; as slow as `make_proof`."""
    return hasher.hash("proof", hasher.hash_phrase(phrase, hasher.site_phrase_salt()).hex())


def make_password_key(hasher: Hasher, password: str, salt: bytes) -> bytes:
    """Hash the password of a room; as slow as `make_proof`."""
    return salt + hasher.hash("password", hasher.hash_phrase(password, salt).hex())


def is_legacy_key(phrase_key: bytes) -> bool:
    """Return whether a stored key has the format of earlier versions, without a salt."""
    return len(phrase_key) == _OLD_KEY_BYTES


def phrase_key_salt(phrase_key: bytes) -> bytes:
    """Return the salt of a stored key that is not in the old format."""
    return phrase_key[:SALT_BYTES]


def keys_equal(given: bytes | None, stored: bytes | None) -> bool:
    """Compare two keys in constant time; `None` equals nothing, not even `None`."""
    return given is not None and stored is not None and hmac.compare_digest(given, stored)


def _length_error() -> InvalidPhrase:
    return InvalidPhrase(
        N_("A secret phrase has {least} to {most} characters."),
        least=_CHARACTERS[0],
        most=_CHARACTERS[-1],
    )
