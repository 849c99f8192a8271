"""Verifies secret phrases: bounds how many are tried for a nickname, and how many are hashed.

The passwords of rooms are hashed here, too.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from models import VisitorRow

from ..crypto import SALT_BYTES, Hasher
from ..errors import N_, LimitReached, WrongPhrase
from ..runtime.background_threads import BackgroundThreads
from ..runtime.fair_semaphore import FairSemaphore
from ..runtime.locks import KeyedLocks
from ..security.proof_of_work import RedeemedSolution
from ..security.secret_phrase import (
    PhraseProof,
    is_legacy_key,
    keys_equal,
    make_legacy_key,
    make_password_key,
    make_proof,
    phrase_key_salt,
)
from .client_networks import client_networks
from .rate_limits import Limits

PHRASE_THREADS = 2
_QUEUE_PER_NETWORK = 64
_QUEUE_MAX = 1_024
_TIMEOUT_SECONDS = 60.0


class PhraseVerifier:
    """Hashes phrases and passwords in a few threads; client networks take turns."""

    def __init__(self, limits: Limits, hasher: Hasher) -> None:
        self._limits = limits
        self._hasher = hasher
        self._locks: KeyedLocks[str] = KeyedLocks()  # by nickname
        self._threads = BackgroundThreads(PHRASE_THREADS)
        self._slots = FairSemaphore(PHRASE_THREADS, reserved=0, queue_max=_QUEUE_PER_NETWORK)

    async def verify(
        self,
        phrase: str,
        nickname_key: bytes,
        holder: VisitorRow | None,
        *,
        address: str,
        redeemed: RedeemedSolution,
    ) -> PhraseProof:
        """Hash a phrase for a nickname; raise `WrongPhrase` if that of its holder differs.

        Each wrong phrase costs one hash, whether the holder has a phrase, an old phrase key or
        none, so that timing reveals nothing. A correct phrase with an old key costs a second hash.
        `nickname_key` identifies a nickname without a holder. Raises `TooManyPhrases`,
        `LimitReached` if the queue is full, and `Unavailable` after 60 seconds in the queue.
        """
        folded = holder.folded_key if holder else nickname_key
        attempts = self._limits.wrong_phrases if holder else self._limits.new_phrases
        attempts.check(folded.hex())
        async with self._slot(address), self._locks.hold(folded.hex()):
            attempts.check(folded.hex())  # again: concurrent calls may have used them up
            redeemed.consume()
            is_right = False
            try:
                proof = await self._hash(phrase, folded, holder.phrase_key if holder else None)
                is_right = bool(proof and holder and proof.matches(holder.phrase_key))
            finally:
                if not is_right:
                    attempts.add(folded.hex())
        if proof is None or (holder and not is_right):
            raise WrongPhrase
        return proof

    def count_wrong(self, holder: VisitorRow) -> None:
        """Count a phrase that turned out to be wrong for this holder of the nickname."""
        self._limits.wrong_phrases.add(holder.folded_key.hex())

    async def hash_password(
        self, password: str, stored_key: bytes = b"", *, address: str = ""
    ) -> bytes:
        """Return the key of a password, with the salt of a stored key, or a new one without.

        Raises `LimitReached` if the queue is full, and `Unavailable` after 60 seconds in it.
        """
        salt = phrase_key_salt(stored_key) or os.urandom(SALT_BYTES)
        async with self._slot(address):
            return await self._threads.run(make_password_key, self._hasher, password, salt)

    async def _hash(
        self, phrase: str, folded: bytes, stored_key: bytes | None
    ) -> PhraseProof | None:
        """Hash a phrase with the salt of a nickname; return `None` if an old key does not match."""
        salt, legacy_key = self._hasher.phrase_salt(folded), None
        if stored_key and is_legacy_key(stored_key):
            legacy_key = await self._threads.run(make_legacy_key, self._hasher, phrase)
            if not keys_equal(legacy_key, stored_key):
                return None
        elif stored_key:
            salt = phrase_key_salt(stored_key)
        proof = await self._threads.run(make_proof, self._hasher, phrase, salt)
        return replace(proof, legacy_key=legacy_key)

    @asynccontextmanager
    async def _slot(self, address: str) -> AsyncIterator[None]:
        """Hold a slot for hashing; of the client's widest network only a keyed hash is kept."""
        if self._slots.count_waiting() >= _QUEUE_MAX:
            raise LimitReached(N_("Too many people are coming in at once. Please try again."))
        network, _ = client_networks(address)[-1]
        group = self._hasher.hash("network", network).hex()
        async with self._slots.slot(group, timeout_seconds=_TIMEOUT_SECONDS):
            yield
