"""Sealing and hashing: what makes human text unreadable at rest, and still findable."""

import hashlib
import hmac
import json
import os
from collections.abc import Callable

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12
KEY_BYTES = 32
SALT_BYTES = 16


class BrokenSeal(Exception):
    """The sealed bytes were not made with this key for this place."""


class Hasher:
    """Keyed hashes: equal texts meet, and nobody without the key can tell which text it was."""

    def __init__(self, read_key: Callable[[], bytes]) -> None:
        self._read_key = read_key

    def hash(self, purpose: str, *parts: str) -> bytes:
        """Return 32 bytes that stand for these parts, for this purpose alone."""
        text = json.dumps([purpose, *parts], ensure_ascii=True).encode()
        return hmac.digest(self._read_key(), text, "sha256")

    def pseudonym(self, room_id: str, visitor_id: str) -> str:
        """Return the name that a visitor bears in this room and in no other."""
        return self.hash("author", room_id, visitor_id)[:9].hex()

    def phrase_salt(self, nickname_key: bytes) -> bytes:
        """Return the salt of all secret phrases of a nickname."""
        return self.hash("phrase", nickname_key.hex())[:SALT_BYTES]

    def site_phrase_salt(self) -> bytes:
        """Return the salt that all nicknames of a site shared in earlier versions."""
        return self.hash("phrase")[:SALT_BYTES]

    def stretch(self, phrase: str, salt: bytes) -> bytes:
        """Hash a secret phrase slowly (Argon2id), so that guessing it stays expensive.

        Takes tens of milliseconds without the interpreter's lock: call it in a thread.
        """
        return hash_secret_raw(
            phrase.encode(errors="surrogatepass"),
            salt,
            time_cost=2,
            memory_cost=19 * 1024,
            parallelism=1,
            hash_len=32,
            type=Type.ID,
        )


def derive_key(*keys: bytes, purpose: str) -> bytes:
    """Derive a key that exists only as long as every one of these keys does."""
    hkdf = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode())
    return hkdf.derive(b"".join(keys))


class KeyExchange:
    """One side of an exchange by X25519, whose private half is never written down.

    Whoever records both public halves cannot derive the shared key, not even with `secret` later.
    """

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def derive(self, other: bytes, *, secret: bytes, purpose: str) -> bytes:
        """Derive the key shared with the side of this public half and this secret.

        Raises `BrokenSeal` if that is no public half.
        """
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(other))
        except ValueError as error:
            raise BrokenSeal(purpose) from error
        return derive_key(shared, secret, purpose=purpose)


def seal(key: bytes, content: bytes, *, place: str) -> bytes:
    """Encrypt `content` (AES-256-GCM) so that it opens with this key and in this place only."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, place.encode())


def unseal(key: bytes, sealed: bytes, *, place: str) -> bytes:
    """Return what was sealed; raise `BrokenSeal` if the key or the place is another."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
    except (InvalidTag, ValueError) as error:  # a ValueError says that it is much too short
        raise BrokenSeal(place) from error


def seal_texts(key: bytes, *texts: str, place: str) -> bytes:
    """Seal several texts together."""
    return seal(key, json.dumps(texts, ensure_ascii=False).encode(), place=place)


def unseal_texts(key: bytes, sealed: bytes, *, place: str) -> list[str]:
    """Return the texts that were sealed together; raise `BrokenSeal` as `unseal` does."""
    texts: list[str] = json.loads(unseal(key, sealed, place=place))
    return texts


def fingerprint(token: str) -> bytes:
    """Return the hash under which a token is stored; its 256 random bits need no stretching."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
