"""Encryption, key derivation and keyed hashes for text at rest."""

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


class DecryptionError(Exception):
    """The ciphertext does not match the key or the associated data."""


class Hasher:
    """Keyed hashes: equal texts have equal hashes, which reveal nothing without the key."""

    def __init__(self, read_key: Callable[[], bytes]) -> None:
        self._read_key = read_key

    def hash(self, purpose: str, *parts: str) -> bytes:
        """Return the 32-byte HMAC-SHA256 of these parts; other purposes give other hashes."""
        text = json.dumps([purpose, *parts], ensure_ascii=True).encode()
        return hmac.digest(self._read_key(), text, "sha256")

    def pseudonym(self, room_id: str, visitor_id: str, attempt: int = 0) -> str:
        """Return a pseudonym of a visitor, which differs in every room and with each attempt."""
        attempts = [str(attempt)] if attempt else []
        return self.hash("author", room_id, visitor_id, *attempts)[:9].hex()

    def phrase_salt(self, nickname_key: bytes) -> bytes:
        """Return the salt of all secret phrases of a nickname."""
        return self.hash("phrase", nickname_key.hex())[:SALT_BYTES]

    def site_phrase_salt(self) -> bytes:
        """Return the site-wide salt that earlier versions used for all nicknames."""
        return self.hash("phrase")[:SALT_BYTES]

    def hash_phrase(self, phrase: str, salt: bytes) -> bytes:
        """Hash a secret phrase with Argon2id, so that guessing it is expensive.

        Takes tens of milliseconds and releases the GIL: call it in a thread.
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
    """Derive a key with HKDF-SHA256; all of these keys are needed to derive it again."""
    hkdf = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode())
    return hkdf.derive(b"".join(keys))


class KeyExchange:
    """One side of an X25519 key exchange; the private key is never stored.

    Both public keys together do not reveal the shared key, not even with `secret` known later.
    """

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def derive(self, peer_public: bytes, *, secret: bytes, purpose: str) -> bytes:
        """Derive the key shared with the owner of this public key and this secret.

        Raises `DecryptionError` if the public key is invalid.
        """
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(peer_public))
        except ValueError as error:
            raise DecryptionError(purpose) from error
        return derive_key(shared, secret, purpose=purpose)


def encrypt(key: bytes, content: bytes, *, associated_data: str) -> bytes:
    """Encrypt `content` with AES-256-GCM, bound to `associated_data`; the nonce comes first."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, associated_data.encode())


def decrypt(key: bytes, ciphertext: bytes, *, associated_data: str) -> bytes:
    """Decrypt; raise `DecryptionError` if the key or `associated_data` differs."""
    try:
        return AESGCM(key).decrypt(
            ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], associated_data.encode()
        )
    except (InvalidTag, ValueError) as error:  # ValueError: the ciphertext is too short
        raise DecryptionError(associated_data) from error


def encrypt_texts(key: bytes, *texts: str, associated_data: str) -> bytes:
    """Encrypt several texts together."""
    return encrypt(
        key, json.dumps(texts, ensure_ascii=False).encode(), associated_data=associated_data
    )


def decrypt_texts(key: bytes, ciphertext: bytes, *, associated_data: str) -> list[str]:
    """Return the texts that were encrypted together; raise `DecryptionError` as `decrypt` does."""
    texts: list[str] = json.loads(decrypt(key, ciphertext, associated_data=associated_data))
    return texts


def fingerprint(token: str) -> bytes:
    """Return the SHA-256 that is stored for a token; 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
