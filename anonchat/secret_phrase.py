"""Secret phrases: what is stored of one, and which badge it makes.

What is stored is a salt and a keyed hash behind it. The salt is that of the nickname, so the same
phrase under another nickname has nothing in common with it. In earlier versions all nicknames of a
site shared one salt, which was not stored: such old keys are recognised by their length.
"""

import hmac
import unicodedata
from dataclasses import dataclass

from .errors import N_, InvalidPhrase
from .ids import LEGIBLE
from .seal import SALT_BYTES, Hasher

_CHARACTERS = range(8, 201)
_RAW_CHARACTERS = 400
_BADGE_CHARACTERS = 5
_OLD_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class PhraseProof:
    """What a secret phrase makes for one nickname; `old_key` is what earlier versions stored."""

    key: bytes
    badge: str
    old_key: bytes | None = None

    def matches(self, phrase_key: bytes | None) -> bool:
        """Tell whether this is the phrase of which `phrase_key` is stored."""
        return is_same(self.key, phrase_key) or is_same(self.old_key, phrase_key)


def tidy_phrase(phrase: str) -> str:
    """Return a phrase as it is hashed, or nothing; raise `InvalidPhrase` if it has a bad length."""
    if not isinstance(phrase, str):
        raise InvalidPhrase(N_("That is not a text."))
    if len(phrase) > _RAW_CHARACTERS:  # normalising could take long
        raise _bad_length()
    phrase = unicodedata.normalize("NFKC", phrase).strip()
    if phrase and len(phrase) not in _CHARACTERS:
        raise _bad_length()
    return phrase


def make_proof(hasher: Hasher, phrase: str, salt: bytes) -> PhraseProof:
    """Hash a phrase; slow, see `Hasher.stretch`."""
    stretched = hasher.stretch(phrase, salt)
    badge = "".join(LEGIBLE[byte % len(LEGIBLE)] for byte in stretched[:_BADGE_CHARACTERS])
    return PhraseProof(salt + hasher.hash("proof", stretched.hex()), badge)


def make_old_key(hasher: Hasher, phrase: str) -> bytes:
    """Hash a phrase as earlier versions did; as slow as `make_proof`."""
    return hasher.hash("proof", hasher.stretch(phrase, hasher.site_phrase_salt()).hex())


def is_old(phrase_key: bytes) -> bool:
    """Tell whether a key was stored by an earlier version, without a salt."""
    return len(phrase_key) == _OLD_KEY_BYTES


def salt_of(phrase_key: bytes) -> bytes:
    """Return the salt with which a stored key was made, if it is not an old one."""
    return phrase_key[:SALT_BYTES]


def is_same(given: bytes | None, kept: bytes | None) -> bool:
    """Compare two keys in a time that does not depend on them; none is the same as none."""
    return given is not None and kept is not None and hmac.compare_digest(given, kept)


def _bad_length() -> InvalidPhrase:
    return InvalidPhrase(
        N_("A secret phrase has {least} to {most} characters."),
        least=_CHARACTERS[0],
        most=_CHARACTERS[-1],
    )
