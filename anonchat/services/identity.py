"""Visitors: signing in, authentication by token, signing out and being forgotten."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlmodel import col, delete, func, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from models import MemberRow, MessageRow, RoomRow, TokenRow, VisitorRow

from ..bus import Bus
from ..crypto import Hasher, fingerprint
from ..entities import Visitor
from ..errors import N_, InvalidPhrase, LimitReached, NicknameTaken, Unavailable, WrongPhrase
from ..events import (
    BadgeChanged,
    Event,
    EventsLost,
    MemberLeft,
    MessagesDeleted,
    TokenRevoked,
    VisitorForgotten,
)
from ..ids import new_id
from ..lifetimes import visitor_lifetime
from ..limits.client_networks import Networks, client_networks
from ..limits.costs import Cost
from ..limits.network_shares import NetworkShares
from ..limits.network_throttle import NetworkThrottle
from ..limits.rate_limits import Limits
from ..limits.work_budget import WorkBudget
from ..runtime.background_threads import BackgroundThreads
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute, floor_to_minute
from ..runtime.fair_semaphore import FairSemaphore
from ..runtime.locks import KeyedLocks
from ..runtime.open_pages import OpenPages
from ..security.common_phrases import is_common
from ..security.keystore import KeyStore, visitor_key_name
from ..security.proof_of_work import ProofOfWork, RedeemedSolution
from ..security.row_cipher import RowCipher
from ..security.secret_phrase import (
    PhraseProof,
    is_legacy_key,
    keys_equal,
    make_legacy_key,
    make_proof,
    normalize_phrase,
    phrase_key_salt,
)
from ..security.tokens import TokenSigner
from ..settings import Settings
from ..storage.database import Database, WriteConflict, retry_on_conflict
from ..storage.purge_stats import count_purged
from ..text.lookalikes import SKELETON_VERSION, check_new_nickname, skeletons
from ..text.normalization import fold_case, normalize_nickname

_BATCH = 500
_SEEN_INTERVAL = timedelta(hours=1)
_UNCONFIRMED_TTL = timedelta(minutes=10)  # of a new visitor whose token was not used yet
_TOKEN_CACHE_TTL = timedelta(minutes=1)
_TOKEN_CACHE_MAX = 10_000
_MARK_SEEN_INTERVAL = timedelta(minutes=10)
_IDLE_AFTER = timedelta(minutes=1)
_CANDIDATES = 200  # idle visitors checked when one has to be displaced
_SKELETONS_BATCH = 50
_MICROSECOND = timedelta(microseconds=1)
_PHRASE_THREADS = 2
_PHRASE_QUEUE_PER_NETWORK = 64
_PHRASE_QUEUE_MAX = 1_024
_PHRASE_TIMEOUT_SECONDS = 60.0
_SITE_NAMES = ("anonchat",)
_SIGN_IN_WAIT_MAX = timedelta(seconds=6)


class NicknameKeys(NamedTuple):
    """Keyed hashes that a nickname is looked up by: of its two skeletons and of its exact form."""

    shape: bytes
    folded: bytes
    exact: bytes


class Identity:
    """Creates, authenticates and forgets visitors."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        work: WorkBudget,
        network_throttle: NetworkThrottle,
        proof_of_work: ProofOfWork,
        shares: NetworkShares,
        open_pages: OpenPages,
        keys: KeyStore,
        cipher: RowCipher,
        hasher: Hasher,
    ) -> None:
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._work = work
        self._network_throttle = network_throttle
        self._proof_of_work = proof_of_work
        self._shares = shares
        self._open_pages = open_pages
        self._keys = keys
        self._cipher = cipher
        self._hasher = hasher
        self._tokens = TokenSigner(hasher)
        # By token hash; each entry with the time until which it is valid.
        self._token_cache: dict[bytes, tuple[datetime, Visitor]] = {}
        self._invalid_tokens: dict[bytes, None] = {}  # by hash, oldest first
        self._revocations = 0
        self._marked_at: datetime | None = None
        self._shares_may_be_stale = False
        self._being_forgotten: set[str] = set()
        self._phrase_locks: KeyedLocks[str] = KeyedLocks()  # by nickname
        self._hash_threads = BackgroundThreads(_PHRASE_THREADS)
        self._phrase_slots = FairSemaphore(
            _PHRASE_THREADS, reserved=0, queue_max=_PHRASE_QUEUE_PER_NETWORK
        )
        bus.subscribe(self._on_event)

    async def sign_in(
        self, nickname: str, *, phrase: str = "", address: str = "", solution: str = ""
    ) -> tuple[Visitor, str]:
        """Create a visitor with that nickname; return the visitor and a new token.

        With the secret phrase of the nickname's current holder, that visitor is returned instead,
        with an additional token. A new visitor expires after about ten minutes unless the token
        is used. `address` is the client's IP address, if known: it is rate-limited, not stored.
        `solution` solves a proof-of-work challenge, which is required if the operator configured
        it, or if the client network signs in too often. Hashing a phrase redeems it. Raises
        `ChallengeUnsolved`, `InvalidNickname`, `NicknameTaken`, `WrongPhrase`, `InvalidPhrase`,
        `RateLimited`, `TooManyPhrases`, `LimitReached` or `Unavailable`.
        """
        name = normalize_nickname(nickname)
        phrase = normalize_phrase(phrase)
        bits = await self._rate_limit_sign_in(address)
        with self._proof_of_work.redeem(solution, bits=bits) as redeemed:
            if bits:
                await self._work.spend(Cost.SIGN_IN, pass_id=solution, address=address)
            proof = await self._verify_phrase(name, phrase, address, redeemed) if phrase else None
            visitor, token, displaced = await self._find_or_create_visitor(name, proof, address)
        self._shares.record(visitor.id, address)
        if displaced:
            with suppress(Unavailable, LimitReached):  # the next purge retries
                await self.forget(displaced)
        return visitor, token

    async def _rate_limit_sign_in(self, address: str) -> int:
        """Count a sign-in; return the required challenge bits if over the limit, else 0."""
        if not address:
            return 0
        try:
            self._limits.sign_ins.hit(address)
            await self._work.spend(Cost.SIGN_IN, address=address, max_wait=_SIGN_IN_WAIT_MAX)
        except LimitReached:
            return self._network_throttle.challenge_bits(address)
        return 0

    @retry_on_conflict
    async def _find_or_create_visitor(
        self, name: str, proof: PhraseProof | None, address: str
    ) -> tuple[Visitor, str, str | None]:
        """Return the visitor, a new token, and the id of a displaced idle visitor, if any."""
        keys = self._nickname_keys(name)
        await self._forget_expired_holders(keys)
        token, now = self._tokens.make_token(), self._clock()
        created_at = floor_to_minute(now)
        has_revoked, has_new_badge, displaced = False, False, None
        visitor_id = new_id()
        async with (
            self._destroying_key_on_conflict(visitor_id),
            self._database.transaction() as session,
        ):
            query = _select_holders(keys).order_by(col(VisitorRow.id))
            holders = (await session.exec(query.with_for_update(key_share=True))).all()
            await self._cipher.fetch_visitor_keys(row.id for row in holders)
            if holders:
                holder = _find_owner(holders, proof)
                visitor = self._cipher.decrypt_visitor(holder) if holder else None
                if (
                    holder
                    and visitor is None
                    and self._cipher.may_visitor_key_exist_on_peers(holder.id)
                ):
                    raise Unavailable(N_("That could not be kept just now. Please try again."))
                if proof is None or holder is None or visitor is None:
                    raise self._refuse_nickname(holders[0], proof)
                if has_new_badge := holder.phrase_key != proof.key:
                    visitor = await self._renew_proof(holder, visitor, proof)
                has_revoked, created_at = await self._revoke_excess_tokens(
                    session, holder.id, created_at
                )
            else:
                check_new_nickname(name)
                displaced = await self._reserve_place(
                    session, self._shares.networks_of_address(address)
                )
                badge = proof.badge if proof else ""
                holder = VisitorRow(
                    id=visitor_id,
                    nickname_key=keys.shape,
                    folded_key=keys.folded,
                    skeleton_version=SKELETON_VERSION,
                    phrase_key=proof.key if proof else None,
                    sealed=await self._cipher.encrypt_visitor(
                        visitor_id, nickname=name, badge=badge
                    ),
                    # Not seen yet: the first authentication is written.
                    seen_at=floor_to_minute(now - self._settings.visitor_ttl),
                    expires_at=ceil_to_minute(now + self._unconfirmed_lifetime()),
                )
                session.add(holder)
                await session.flush()
                visitor = Visitor(visitor_id, name, badge, holder.expires_at, has_posted=False)
            session.add(
                TokenRow(hash=fingerprint(token), visitor_id=holder.id, created_at=created_at)
            )
        if has_revoked:
            await self._bus.publish(TokenRevoked(visitor.id))
        if has_new_badge:
            await self._bus.publish(BadgeChanged(visitor.id))
        return visitor, token, displaced

    @retry_on_conflict
    async def replace_token(self, token: str) -> str | None:
        """Replace a token, which becomes invalid; return the new token.

        Of concurrent calls with the same token, one gets a new token and the others `None`.
        """
        hash, new = fingerprint(token), self._tokens.make_token()
        replacing = update(TokenRow).where(col(TokenRow.hash) == hash)
        async with self._database.transaction() as session:
            replaced = await session.exec(replacing.values(hash=fingerprint(new)))
        self._token_cache.pop(hash, None)
        return new if replaced.rowcount else None

    @retry_on_conflict
    async def sign_out(self, token: str) -> None:
        """Revoke a token and close its pages and streams; the visitor's other tokens stay valid."""
        hash = fingerprint(token)
        async with self._database.read_session() as session:
            row = await session.get(TokenRow, hash)
        if row is None:
            return
        async with self._database.transaction(row.visitor_id) as session:
            await session.exec(delete(TokenRow).where(col(TokenRow.hash) == hash))
        await self._bus.publish(TokenRevoked(row.visitor_id))

    async def is_nickname_available(self, nickname: str) -> bool:
        """Return whether a nickname is available; raise `InvalidNickname` if it is not valid."""
        name = normalize_nickname(nickname)
        check_new_nickname(name)
        async with self._database.read_session() as session:
            holders = await _find_holders(session, self._nickname_keys(name))
        return not any(map(self._is_live, holders))

    async def authenticate(self, token: str, *, address: str = "") -> Visitor | None:
        """Return the visitor of a token, or `None`; this also extends the visitor's lifetime.

        `address` is the client's IP address, if known: its networks are kept in memory, as hashes.
        Lookups of unsigned tokens, which older releases made, are rate-limited per address. Raises
        `RateLimited` then, and `Unavailable` while only another node has the visitor's key.
        """
        visitor = await self._authenticate(token, address)
        if visitor:
            self._shares.record(visitor.id, address)
        return visitor

    async def _authenticate(self, token: str, address: str) -> Visitor | None:
        hash, now = fingerprint(token), self._clock()
        cached_until, visitor = self._token_cache.get(hash, (now, None))
        if visitor and now < cached_until and self._cipher.has_visitor_key(visitor.id):
            return visitor
        if hash in self._invalid_tokens:
            return None
        if not self._tokens.is_signed(token):
            if not self._tokens.could_be_unsigned(token):
                return None
            if address:
                self._limits.token_lookups.hit(address)
        revocations = self._revocations
        query = select(VisitorRow).join(TokenRow).where(TokenRow.hash == hash)
        async with self._database.read_session() as session:
            row = (await session.exec(query)).first()
        if row is None or row.expires_at <= now:
            self._invalid_tokens[hash] = None
            if len(self._invalid_tokens) > _TOKEN_CACHE_MAX:
                del self._invalid_tokens[next(iter(self._invalid_tokens))]
            return None
        if now - row.seen_at > self._seen_interval(has_posted=row.has_posted):
            async with self._database.transaction(row.id) as session:
                row = await session.get(VisitorRow, row.id, with_for_update={"key_share": True})
                if row is None or row.expires_at <= now:  # forgotten meanwhile
                    return None
                self._note_seen(row, now)
        await self._cipher.fetch_visitor_keys([row.id])
        visitor = self._cipher.decrypt_visitor(row)
        if visitor is None and self._cipher.may_visitor_key_exist_on_peers(row.id):
            raise Unavailable(N_("That could not be kept just now. Please try again."))
        if visitor and revocations == self._revocations:  # else it may be revoked
            # Shorter than the seen interval, so that `seen_at` is written in time.
            ttl = min(_TOKEN_CACHE_TTL, self._seen_interval(has_posted=visitor.has_posted))
            self._token_cache[hash] = min(now + ttl, visitor.expires_at), visitor
            if len(self._token_cache) > _TOKEN_CACHE_MAX:
                del self._token_cache[next(iter(self._token_cache))]
        return visitor

    @retry_on_conflict
    async def forget(self, visitor_id: str) -> None:
        """Forget a visitor: delete the nickname, tokens, memberships and all messages.

        The visitor is first marked as expired, so that after a crash any node's janitor completes
        the deletion.
        """
        self._being_forgotten.add(visitor_id)
        expiring = update(VisitorRow).where(col(VisitorRow.id) == visitor_id)
        with suppress(Unavailable):  # on a full disk the key is destroyed all the same
            async with self._database.transaction(visitor_id) as session:
                await session.exec(expiring.values(expires_at=self._clock()))
        await self._keys.destroy([visitor_key_name(visitor_id)])
        self._evict_visitor(visitor_id)
        while await self._delete_messages(visitor_id):
            pass
        members = select(MemberRow).where(MemberRow.visitor_id == visitor_id)
        members = members.order_by(col(MemberRow.room_id)).with_for_update()
        async with self._database.transaction(visitor_id) as session:
            await session.get(VisitorRow, visitor_id, with_for_update=True)
            memberships = (await session.exec(members)).all()
            deleted = await session.exec(delete(VisitorRow).where(col(VisitorRow.id) == visitor_id))
            await count_purged(session, visitors=deleted.rowcount)
        for member in memberships:
            await self._bus.publish(MemberLeft(member.room_id, visitor_id, member.author))
        await self._bus.publish(VisitorForgotten(visitor_id))
        self._being_forgotten.discard(visitor_id)

    async def retry_forgetting(self) -> None:
        """Retry deleting the rows of forgotten visitors after the database was unavailable."""
        for visitor_id in list(self._being_forgotten):
            with suppress(Unavailable):  # the next purge retries
                await self.forget(visitor_id)

    async def mark_open_pages_seen(self) -> None:
        """Periodically update `seen_at` of visitors with an open page or stream on this node."""
        now = self._clock()
        interval = min(_MARK_SEEN_INTERVAL, self._seen_interval(has_posted=False) / 2)
        if self._marked_at and now - self._marked_at < interval:
            return
        self._marked_at = now
        ids = sorted(self._open_pages.list_visitors())
        before = now - self._seen_interval(has_posted=False)
        for begin in range(0, len(ids), _BATCH):
            in_batch = col(VisitorRow.id).in_(ids[begin : begin + _BATCH])
            query = select(VisitorRow).where(in_batch, col(VisitorRow.seen_at) < before)
            query = query.where(col(VisitorRow.expires_at) > now).order_by(col(VisitorRow.id))
            async with self._database.transaction() as session:
                locking = query.with_for_update(key_share=True, skip_locked=True)
                for row in (await session.exec(locking)).all():
                    self._note_seen(row, now)

    async def release_stale_shares(self) -> None:
        """Release network shares of deleted visitors whose events this node may have missed."""
        if not self._shares_may_be_stale:
            return
        self._shares_may_be_stale = False
        ids = [str(place) for place in self._shares.visitors.list_places()]
        for begin in range(0, len(ids), _BATCH):
            batch = ids[begin : begin + _BATCH]
            query = select(VisitorRow.id).where(col(VisitorRow.id).in_(batch))
            async with self._database.read_session() as session:
                live = set((await session.exec(query)).all())
            for visitor_id in batch:
                if visitor_id not in live:
                    self._shares.visitors.release(visitor_id)

    def _note_seen(self, row: VisitorRow, now: datetime) -> None:
        lifetime = visitor_lifetime(self._settings, has_posted=row.has_posted)
        row.seen_at = floor_to_minute(now)
        row.expires_at = max(row.expires_at, ceil_to_minute(now + lifetime))

    def _seen_interval(self, *, has_posted: bool) -> timedelta:
        """Return the minimum interval between two writes of `seen_at`."""
        return min(_SEEN_INTERVAL, visitor_lifetime(self._settings, has_posted=has_posted) / 4)

    def _unconfirmed_lifetime(self) -> timedelta:
        """Return the lifetime of a new visitor whose token was not used yet."""
        return min(_UNCONFIRMED_TTL, visitor_lifetime(self._settings, has_posted=False))

    async def _on_event(self, event: Event) -> None:
        match event:
            case TokenRevoked(visitor_id) | VisitorForgotten(visitor_id) | BadgeChanged(visitor_id):
                self._evict_visitor(visitor_id)
            case EventsLost():
                self._shares_may_be_stale = True
                self._revocations += 1
                self._token_cache.clear()

    def _evict_visitor(self, visitor_id: str) -> None:
        """Evict a visitor's tokens from the cache."""
        self._revocations += 1
        hashes = [hash for hash, (_, each) in self._token_cache.items() if each.id == visitor_id]
        for hash in hashes:
            del self._token_cache[hash]

    async def _delete_messages(self, visitor_id: str) -> int:
        """Delete a batch of a visitor's messages; return how many. Batches keep posting fast."""
        query = select(MessageRow.id, MessageRow.room_id, MessageRow.seq)
        query = query.where(MessageRow.visitor_id == visitor_id).limit(_BATCH)
        query = query.with_for_update(skip_locked=True)  # rows that another node is deleting
        async with self._database.transaction(visitor_id) as session:
            batch = (await session.exec(query)).all()
            ids = [id for id, *_ in batch]
            await session.exec(delete(MessageRow).where(col(MessageRow.id).in_(ids)))
            if batch:
                await count_purged(session, messages=len(batch))
        deleted: dict[str, list[int]] = {}
        for _, room_id, seq in batch:
            deleted.setdefault(room_id, []).append(seq)
        for room_id, seqs in deleted.items():
            await self._bus.publish(MessagesDeleted(room_id, tuple(sorted(seqs))))
        return len(batch)

    async def update_skeletons(self) -> int:
        """Recompute nickname keys stored by older skeleton rules; return how many were processed.

        If two existing nicknames look alike by the new rules, both stay; one of them is then found
        by its exact form alone. Nodes may run this concurrently.
        """
        count, after = 0, ""
        while batch := await self._update_some_skeletons(after):
            count, after = count + len(batch), batch[-1]
        return count

    @retry_on_conflict
    async def _update_some_skeletons(self, after: str) -> list[str]:
        """Process one batch; return its ids, including rows skipped because they do not decrypt."""
        query = select(VisitorRow).where(VisitorRow.id > after)
        query = query.where(VisitorRow.skeleton_version != SKELETON_VERSION)
        query = query.order_by(col(VisitorRow.id)).limit(_SKELETONS_BATCH).with_for_update()
        async with self._database.transaction() as session:
            rows = (await session.exec(query)).all()
            await self._cipher.fetch_visitor_keys(row.id for row in rows)
            decrypted = [
                (row, visitor) for row in rows if (visitor := self._cipher.decrypt_visitor(row))
            ]
            keys = {}
            for row, visitor in decrypted:
                keys[row.id] = self._nickname_keys(visitor.nickname)
                await asyncio.sleep(0)  # a long nickname takes milliseconds
            taken = await _find_taken_keys(session, keys)
            for row, _ in decrypted:
                own = keys[row.id]
                taken -= {row.nickname_key, row.folded_key}
                row.nickname_key = own.exact if own.shape in taken else own.shape
                row.folded_key = own.exact if own.folded in taken else own.folded
                row.skeleton_version = SKELETON_VERSION
                taken |= {row.nickname_key, row.folded_key}
        return [row.id for row in rows]

    def _nickname_keys(self, nickname: str) -> NicknameKeys:
        shape, folded = skeletons(nickname)
        return NicknameKeys(
            self._hasher.hash("nickname", shape),
            self._hasher.hash("folded", folded),
            self._hasher.hash("exact nickname", fold_case(nickname)),
        )

    async def _verify_phrase(
        self, name: str, phrase: str, address: str, redeemed: RedeemedSolution
    ) -> PhraseProof:
        """Hash a phrase for a nickname; raise `WrongPhrase` if the holder's phrase differs.

        Each wrong phrase costs one hash, whether the holder has a phrase, an old phrase key or
        none, so that timing reveals nothing. A correct phrase with an old key costs a second hash.
        """
        keys = self._nickname_keys(name)
        holder = await self._find_holder(keys)
        if holder is None:
            check_new_nickname(name)
            if is_common(phrase, names=(name, *_SITE_NAMES)):
                raise InvalidPhrase(
                    N_("That phrase is too easy to guess. Please choose another one.")
                )
        attempts = self._limits.wrong_phrases if holder else self._limits.new_phrases
        nickname = (holder.folded_key if holder else keys.folded).hex()
        attempts.check(nickname)
        async with self._phrase_slot(address), self._phrase_locks.hold(nickname):
            attempts.check(nickname)  # again, because concurrent calls may have used them up
            redeemed.consume()
            is_right = False
            try:
                proof = await self._hash_phrase(phrase, keys.folded, holder)
                is_right = bool(proof and holder and proof.matches(holder.phrase_key))
            finally:
                if not is_right:
                    attempts.add(nickname)
        if proof is None or (holder and not is_right):
            raise _wrong_phrase()
        return proof

    async def _hash_phrase(
        self, phrase: str, folded: bytes, holder: VisitorRow | None
    ) -> PhraseProof | None:
        """Hash a phrase with the holder's salt; return `None` if an old key does not match."""
        stored_key = holder.phrase_key if holder else None
        salt = self._hasher.phrase_salt(holder.folded_key if holder else folded)
        if stored_key is None or not is_legacy_key(stored_key):
            salt = phrase_key_salt(stored_key) if stored_key else salt
            return await self._hash_threads.run(make_proof, self._hasher, phrase, salt)
        legacy_key = await self._hash_threads.run(make_legacy_key, self._hasher, phrase)
        if not keys_equal(legacy_key, stored_key):
            return None
        proof = await self._hash_threads.run(make_proof, self._hasher, phrase, salt)
        return replace(proof, legacy_key=legacy_key)

    async def _renew_proof(
        self, holder: VisitorRow, visitor: Visitor, proof: PhraseProof
    ) -> Visitor:
        """Replace an old phrase key and the badge derived from it."""
        holder.phrase_key = proof.key
        holder.sealed = await self._cipher.encrypt_visitor(
            holder.id, nickname=visitor.nickname, badge=proof.badge
        )
        return replace(visitor, badge=proof.badge)

    def _refuse_nickname(self, holder: VisitorRow, proof: PhraseProof | None) -> NicknameTaken:
        """Return the error for a taken nickname; if a phrase was given, count it as a wrong one."""
        if proof is None:
            return NicknameTaken(N_("That nickname, or one like it, is taken."))
        self._limits.wrong_phrases.add(holder.folded_key.hex())
        return _wrong_phrase()

    @asynccontextmanager
    async def _phrase_slot(self, address: str) -> AsyncIterator[None]:
        """Hold a slot for hashing a phrase; slots are few, and client networks take turns.

        Only a keyed hash of the client's widest network is kept, in memory. Raises `LimitReached`
        if the queue is full, and `Unavailable` after 60 seconds.
        """
        if self._phrase_slots.count_waiting() >= _PHRASE_QUEUE_MAX:
            raise LimitReached(N_("Too many come in at once. Please try again."))
        network, _ = client_networks(address)[-1]
        group = self._hasher.hash("network", network).hex()
        async with self._phrase_slots.slot(group, timeout_seconds=_PHRASE_TIMEOUT_SECONDS):
            yield

    async def _find_holder(self, keys: NicknameKeys) -> VisitorRow | None:
        """Return the live visitor who holds the nickname or the most similar one, if any."""
        async with self._database.read_session() as session:
            holders = await _find_holders(session, keys)

        def difference(row: VisitorRow) -> tuple[bool, bool]:
            is_exact = keys.exact in (row.nickname_key, row.folded_key)
            return not is_exact, row.folded_key != keys.folded

        return min(filter(self._is_live, holders), key=difference, default=None)

    @asynccontextmanager
    async def _destroying_key_on_conflict(self, visitor_id: str) -> AsyncIterator[None]:
        """Destroy the new visitor's key if a concurrent sign-in took the nickname."""
        try:
            yield
        except WriteConflict:
            await self._keys.destroy([visitor_key_name(visitor_id)])
            raise

    async def _forget_expired_holders(self, keys: NicknameKeys) -> None:
        """Forget expired visitors that still hold the nickname because no purge ran since."""
        async with self._database.read_session() as session:
            holders = await _find_holders(session, keys)
        for holder in holders:
            if not self._is_live(holder):
                await self.forget(holder.id)

    def _is_live(self, row: VisitorRow) -> bool:
        return row.expires_at > self._clock() and not self._keys.is_destroyed(
            visitor_key_name(row.id)
        )

    async def _reserve_place(self, session: AsyncSession, networks: Networks) -> str | None:
        """Ensure that one more visitor from these networks is within the limits.

        If the site is full, or the networks have their share, an idle visitor of a network that
        holds more is expired, and the id of that visitor is returned. Raises `LimitReached`.
        """
        bound = self._settings.visitors_max
        count = (await session.exec(select(func.count()).select_from(VisitorRow))).one()
        if self._shares.visitors.is_within_share(networks, bound=bound, taken=count):
            return None
        active = self._list_active()
        for row in (await session.exec(self._idle().limit(_CANDIDATES))).all():
            if row.id not in active and self._shares.visitors.may_displace(
                networks, row.id, bound=bound
            ):
                if displaced := (await session.exec(self._select_if_idle(row.id))).first():
                    displaced.expires_at = self._clock()
                    return displaced.id
        if count >= bound:
            raise LimitReached(N_("This place is full. Please come back later."))
        raise LimitReached(N_("Too many from your network are here. Please come back later."))

    def _list_active(self) -> set[str]:
        """Return the ids of visitors with an open page or stream or a cached token on this node."""
        now = self._clock()
        cached = {visitor.id for until, visitor in self._token_cache.values() if until > now}
        return self._open_pages.list_visitors() | cached

    def _idle(self) -> SelectOfScalar[VisitorRow]:
        """Select visitors who have never posted and seem inactive, the earliest expiry first.

        It excludes owners of live rooms that others have entered, and visitors who signed in within
        the last minute and have not used their token yet. Open pages on other nodes are not known
        here, so with peers a visitor is inactive only after the maximum interval between two
        updates of `seen_at`.
        """
        now, expires_at = self._clock(), col(VisitorRow.expires_at)
        idle_after = _IDLE_AFTER
        if self._settings.has_peers:
            idle_after = self._seen_interval(has_posted=False) + 2 * _MARK_SEEN_INTERVAL
        idle_expiry = now + self._unconfirmed_lifetime() - _IDLE_AFTER
        owned = (
            select(MemberRow.room_id)
            .join(RoomRow, col(RoomRow.id) == MemberRow.room_id)
            .where(
                MemberRow.visitor_id == VisitorRow.id,
                MemberRow.author == RoomRow.owner,
                col(RoomRow.was_entered),
                col(RoomRow.expires_at) > now,
            )
            .exists()
        )
        return (
            select(VisitorRow)
            .where(
                ~col(VisitorRow.has_posted),
                col(VisitorRow.seen_at) <= now - idle_after,
                expires_at > now,
                or_(
                    expires_at <= idle_expiry,
                    expires_at > ceil_to_minute(now + self._unconfirmed_lifetime()),
                ),
                ~owned,
            )
            .order_by(expires_at)
        )

    def _select_if_idle(self, visitor_id: str) -> SelectOfScalar[VisitorRow]:
        """Select and lock a visitor who is still idle."""
        query = self._idle().where(VisitorRow.id == visitor_id)
        return query.with_for_update(skip_locked=True)

    async def _revoke_excess_tokens(
        self, session: AsyncSession, visitor_id: str, minute: datetime
    ) -> tuple[bool, datetime]:
        """Revoke the oldest tokens beyond the limit.

        Return whether any were revoked, and the `created_at` of a new token: it is later than that
        of all others, even of those created in the same minute.
        """
        query = select(TokenRow).where(TokenRow.visitor_id == visitor_id)
        query = query.order_by(col(TokenRow.created_at).desc()).with_for_update()
        tokens = (await session.exec(query)).all()
        excess = tokens[self._settings.sessions_per_visitor_max - 1 :]
        for token in excess:
            await session.delete(token)
        created_at = max([minute, *(token.created_at + _MICROSECOND for token in tokens)])
        return bool(excess), created_at


async def _find_holders(session: AsyncSession, keys: NicknameKeys) -> Sequence[VisitorRow]:
    """Return the visitors with this nickname or one that looks alike; there may be several."""
    return (await session.exec(_select_holders(keys))).all()


def _select_holders(keys: NicknameKeys) -> SelectOfScalar[VisitorRow]:
    return select(VisitorRow).where(
        or_(
            col(VisitorRow.nickname_key).in_([keys.shape, keys.exact]),
            col(VisitorRow.folded_key).in_([keys.folded, keys.exact]),
        )
    )


async def _find_taken_keys(session: AsyncSession, keys: dict[str, NicknameKeys]) -> set[bytes]:
    """Return all nickname keys of visitors that have one of these keys."""
    query = select(VisitorRow.nickname_key, VisitorRow.folded_key).where(
        or_(
            col(VisitorRow.nickname_key).in_({each.shape for each in keys.values()}),
            col(VisitorRow.folded_key).in_({each.folded for each in keys.values()}),
        )
    )
    return {key for row in await session.exec(query) for key in row}


def _find_owner(holders: Sequence[VisitorRow], proof: PhraseProof | None) -> VisitorRow | None:
    """Return the visitor whose secret phrase this proof matches, if any."""
    return next((row for row in holders if proof and proof.matches(row.phrase_key)), None)


def _wrong_phrase() -> WrongPhrase:
    return WrongPhrase(
        N_("That nickname, or one like it, is taken, and this is not its secret phrase.")
    )
