"""Visitors: signing in, authentication by token, signing out and being forgotten."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain

from sqlmodel import col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from models import KnockRow, MemberRow, MessageRow, TokenRow, VisitorRow

from ..bus import Bus
from ..crypto import Hasher, fingerprint
from ..entities import Visitor
from ..errors import (
    N_,
    InvalidNickname,
    InvalidPhrase,
    LimitReached,
    NicknameTaken,
    NotFound,
    Unavailable,
    UnknownVisitor,
    WrongPhrase,
)
from ..events import (
    BadgeChanged,
    DoorsChanged,
    Event,
    EventsLost,
    MemberLeft,
    TokenRevoked,
    VisitorForgotten,
)
from ..ids import new_id
from ..lifetimes import (
    MARK_SEEN_INTERVAL,
    seen_interval,
    unconfirmed_lifetime,
    visitor_lifetime,
)
from ..limits.costs import Cost
from ..limits.network_shares import NetworkShares
from ..limits.network_throttle import NetworkThrottle
from ..limits.phrase_verifier import PhraseVerifier
from ..limits.rate_limits import Limits
from ..limits.work_budget import WorkBudget
from ..runtime.batches import batches
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute, floor_to_minute
from ..runtime.locks import KeyedLocks
from ..runtime.open_pages import OpenPages
from ..security.common_phrases import is_common
from ..security.key_names import visitor_key_name
from ..security.keystore import KeyStore
from ..security.proof_of_work import ProofOfWork, RedeemedSolution
from ..security.row_cipher import RowCipher
from ..security.secret_phrase import PhraseProof, normalize_phrase, require_phrase
from ..security.tokens import TokenSigner
from ..settings import Settings
from ..storage.conflicts import destroying_keys_on_conflict, retry_on_conflict
from ..storage.database import Database
from ..storage.message_deletion import delete_messages
from ..storage.nickname_index import NicknameIndex, NicknameKeys
from ..storage.purge_stats import count_purged
from ..storage.token_cache import TokenCache
from ..storage.visitor_places import VisitorPlaces
from ..text.lookalikes import SKELETON_VERSION, check_new_nickname, skeletons
from ..text.normalization import normalize_nickname

_BATCH = 500
_TOKEN_CACHE_TTL = timedelta(minutes=1)
_MICROSECOND = timedelta(microseconds=1)
_SITE_NAMES = ("anonchat",)
_SIGN_IN_WAIT_MAX = timedelta(seconds=6)


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
        nicknames: NicknameIndex,
        phrases: PhraseVerifier,
        hasher: Hasher,
        forget_reactions: Callable[[str], AsyncIterator[Event]],
        leave_owned_rooms: Callable[[str], AsyncIterator[Event]],
        forget_reader: Callable[[str], AsyncIterator[Event]],
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
        self._nicknames = nicknames
        self._phrases = phrases
        self._forget_reactions = forget_reactions
        self._leave_owned_rooms = leave_owned_rooms
        self._forget_reader = forget_reader
        self._reserved = frozenset(chain(*map(skeletons, settings.reserved_nicknames)))
        self._tokens = TokenSigner(hasher)
        self._token_cache = TokenCache()
        self._places = VisitorPlaces(
            settings=settings, clock=clock, shares=shares, list_active=self._list_active
        )
        self._marked_at: datetime | None = None
        self._shares_may_be_stale = False
        self._being_forgotten: set[str] = set()
        self._attempt_locks: KeyedLocks[str] = KeyedLocks()  # by token
        bus.subscribe(self._on_event)

    async def sign_in(
        self,
        nickname: str,
        *,
        phrase: str = "",
        address: str = "",
        solution: str = "",
        attempt: str = "",
    ) -> tuple[Visitor, str]:
        """Create a visitor with that nickname; return the visitor and a new token.

        With the secret phrase of the nickname's current holder, that visitor is returned instead,
        with an additional token. A new visitor expires after about ten minutes unless the token
        is used. `address` is the client's IP address, if known: it is rate-limited, not stored.
        `solution` solves a proof-of-work challenge, which is required if the operator configured
        it, or if the client network signs in too often. Hashing a phrase redeems it. `attempt` is a
        secret that the client chose: a sign-in with the same one, whose response may be lost, is
        undone first. Raises
        `ChallengeUnsolved`, `InvalidNickname`, `NicknameTaken`, `WrongPhrase`, `InvalidPhrase`,
        `RateLimited`, `TooManyPhrases`, `LimitReached` or `Unavailable`.
        """
        name = normalize_nickname(nickname)
        phrase = normalize_phrase(phrase)
        bits = await self._rate_limit_sign_in(address)
        token = self._tokens.make_token(attempt)
        with self._proof_of_work.redeem(solution, bits=bits) as redeemed:
            if bits:
                await self._work.spend(Cost.SIGN_IN, pass_id=solution, address=address)
            async with self._attempt_locks.hold(token):
                if attempt:
                    token = await self._undo_sign_in(token)
                proof = await self._verify(phrase, name, address, redeemed) if phrase else None
                visitor, displaced = await self._find_or_create_visitor(name, proof, address, token)
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

    async def _verify(
        self, phrase: str, name: str, address: str, redeemed: RedeemedSolution
    ) -> PhraseProof:
        """Verify a phrase of a nickname that is taken, or hash that of a new one."""
        keys = self._nicknames.make_keys(name)
        holder = await self._find_holder(keys)
        if holder is None:
            self._check_new_nickname(name)
            self._check_new_phrase(phrase, name)
        return await self._phrases.verify(
            phrase, keys.folded, holder, address=address, redeemed=redeemed
        )

    def _check_new_phrase(self, phrase: str, nickname: str) -> None:
        """Raise `InvalidPhrase` if the phrase is easy to guess."""
        if is_common(phrase, names=(nickname, self._settings.name, *_SITE_NAMES)):
            raise InvalidPhrase(N_("That phrase is too easy to guess. Please choose another one."))

    async def _undo_sign_in(self, token: str) -> str:
        """Forget the visitor who was created with a token and has not been seen since.

        Return the token to use now: another one if this one is in use.
        """
        query = select(VisitorRow).join(TokenRow).where(TokenRow.hash == fingerprint(token))
        async with self._database.read_session() as session:
            row = (await session.exec(query)).first()
        if row and row.seen_at <= self._clock() - self._settings.visitor_ttl:  # not seen yet
            await self.forget(row.id)
            return token
        return self._tokens.make_token() if row else token

    @retry_on_conflict
    async def _find_or_create_visitor(
        self, name: str, proof: PhraseProof | None, address: str, token: str
    ) -> tuple[Visitor, str | None]:
        """Return the visitor, and the id of a displaced idle visitor, if any."""
        keys = self._nicknames.make_keys(name)
        await self._forget_expired_holders(keys)
        displaced, has_new_badge, visitor_id = None, False, new_id()
        async with (
            destroying_keys_on_conflict(self._keys, [visitor_key_name(visitor_id)]),
            self._database.transaction() as session,
        ):
            if holders := await self._nicknames.lock_holders(session, keys):
                visitor, has_new_badge = await self._authenticate_holder(holders, proof)
            else:
                self._check_new_nickname(name)
                networks = self._shares.networks_of_address(address)
                displaced = await self._places.reserve(session, networks)
                badge = proof.badge if proof else ""
                row = VisitorRow(
                    id=visitor_id,
                    nickname_key=keys.shape,
                    folded_key=keys.folded,
                    skeleton_version=SKELETON_VERSION,
                    phrase_key=proof.key if proof else None,
                    sealed=await self._cipher.encrypt_visitor(
                        visitor_id, nickname=name, badge=badge
                    ),
                    # Not seen yet: the first authentication is written.
                    seen_at=floor_to_minute(self._clock() - self._settings.visitor_ttl),
                    expires_at=ceil_to_minute(self._clock() + unconfirmed_lifetime(self._settings)),
                )
                session.add(row)
                await session.flush()
                visitor = Visitor(visitor_id, name, badge, row.expires_at, has_posted=False)
            has_revoked = await self._add_token(session, token, visitor.id)
        if has_revoked:
            await self._bus.publish(TokenRevoked(visitor.id))
        if has_new_badge:
            await self._bus.publish(BadgeChanged(visitor.id, visitor.badge))
        return visitor, displaced

    async def _authenticate_holder(
        self, holders: Sequence[VisitorRow], proof: PhraseProof | None
    ) -> tuple[Visitor, bool]:
        """Return the holder of a nickname whose phrase was given, and whether the badge is new.

        An old phrase key, and the badge derived from it, are replaced. Raises `NicknameTaken`,
        `WrongPhrase` or `Unavailable`.
        """
        if proof is None:
            raise NicknameTaken(N_("That nickname, or one like it, is taken."))
        row = next((row for row in holders if proof.matches(row.phrase_key)), None)
        visitor = await self._cipher.fetch_visitor(row) if row else None
        if row is None or visitor is None:
            self._phrases.count_wrong(holders[0])
            raise WrongPhrase
        if row.phrase_key == proof.key:
            return visitor, False
        return await self._set_proof(row, visitor, proof), True

    async def _set_proof(self, row: VisitorRow, visitor: Visitor, proof: PhraseProof) -> Visitor:
        """Store another phrase key and badge; return the visitor with that badge."""
        row.phrase_key = proof.key
        row.sealed = await self._cipher.encrypt_visitor(
            row.id,
            nickname=visitor.nickname,
            badge=proof.badge,
            preferences=visitor.preferences,
        )
        return replace(visitor, badge=proof.badge)

    async def add_phrase(self, visitor_id: str, phrase: str, *, address: str = "") -> Visitor:
        """Give a secret phrase to a visitor who has none; return the visitor with the badge.

        Sessions stay valid, and only messages posted from now on have the badge. Raises
        `InvalidPhrase`, `UnknownVisitor`, `TooManyPhrases`, `LimitReached` or `Unavailable`.
        """
        phrase = require_phrase(phrase)
        async with self._database.read_session(visitor_id) as session:
            row = await session.get(VisitorRow, visitor_id)
        row, visitor = await self._require_no_phrase(row)
        self._check_new_phrase(phrase, visitor.nickname)
        proof = await self._phrases.verify(
            phrase,
            row.folded_key,
            None,
            address=address,
            redeemed=RedeemedSolution(lambda: None),
        )
        return await self._store_proof(visitor_id, proof)

    @retry_on_conflict
    async def _store_proof(self, visitor_id: str, proof: PhraseProof) -> Visitor:
        async with self._database.transaction(visitor_id) as session:
            row = await session.get(VisitorRow, visitor_id, with_for_update=True)
            visitor = await self._set_proof(*await self._require_no_phrase(row), proof)
        await self._bus.publish(BadgeChanged(visitor_id, visitor.badge))
        return visitor

    async def _require_no_phrase(self, row: VisitorRow | None) -> tuple[VisitorRow, Visitor]:
        """Return a row and its visitor; raise `UnknownVisitor`, or `InvalidPhrase` for a phrase."""
        visitor = await self._decrypt(row)
        if row is None or row.phrase_key is not None:
            raise InvalidPhrase(N_("You have a secret phrase already."))
        return row, visitor

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
        self._check_new_nickname(name)
        holders = await self._nicknames.find_holders(self._nicknames.make_keys(name))
        return not any(map(self._is_live, holders))

    def _check_new_nickname(self, name: str) -> None:
        """Raise `InvalidNickname` if no new visitor may have this nickname."""
        check_new_nickname(name)
        if not self._reserved.isdisjoint(skeletons(name)):
            raise InvalidNickname(N_("That nickname is reserved. Please choose another one."))

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
        visitor = self._token_cache.get(hash, now)
        if visitor and self._cipher.has_visitor_key(visitor.id):
            return visitor
        if self._token_cache.is_invalid(hash):
            return None
        if not self._tokens.is_signed(token):
            if not self._tokens.could_be_unsigned(token):
                return None
            if address:
                self._limits.token_lookups.hit(address)
        revocations = self._token_cache.revocations
        query = select(VisitorRow).join(TokenRow).where(TokenRow.hash == hash)
        async with self._database.read_session() as session:
            row = (await session.exec(query)).first()
        if row is None or row.expires_at <= now:
            self._token_cache.add_invalid(hash)
            return None
        if now - row.seen_at > seen_interval(self._settings, has_posted=row.has_posted):
            async with self._database.transaction(row.id) as session:
                row = await session.get(VisitorRow, row.id, with_for_update={"key_share": True})
                if row is None or row.expires_at <= now:  # forgotten meanwhile
                    return None
                self._note_seen(row, now)
        visitor = await self._cipher.fetch_visitor(row)
        if visitor and revocations == self._token_cache.revocations:  # else it may be revoked
            # Shorter than the seen interval, so that `seen_at` is written in time.
            interval = seen_interval(self._settings, has_posted=visitor.has_posted)
            valid_until = min(now + min(_TOKEN_CACHE_TTL, interval), visitor.expires_at)
            self._token_cache.put(hash, visitor, valid_until=valid_until)
        return visitor

    async def get(self, visitor_id: str) -> Visitor:
        """Return the visitor with that id.

        Raises `UnknownVisitor`, or `Unavailable` while only another node has the key.
        """
        async with self._database.read_session(visitor_id) as session:
            row = await session.get(VisitorRow, visitor_id)
        return await self._decrypt(row)

    async def _decrypt(self, row: VisitorRow | None) -> Visitor:
        visitor = await self._cipher.fetch_visitor(row) if row and self._is_live(row) else None
        if visitor is None:
            raise UnknownVisitor
        return visitor

    async def find(self, nickname: str) -> Visitor:
        """Return the visitor with that nickname, ignoring case.

        Raises `NotFound` if there is none, which does not count those with a nickname that only
        looks like it, `InvalidNickname`, or `Unavailable` if only another node has the key.
        """
        keys = self._nicknames.make_keys(normalize_nickname(nickname))
        holder = await self._find_holder(keys)
        visitor = await self._cipher.fetch_visitor(holder) if holder else None
        if visitor is None or self._nicknames.make_keys(visitor.nickname).exact != keys.exact:
            raise NotFound(N_("Nobody has this nickname."))
        return visitor

    @retry_on_conflict
    async def forget(self, visitor_id: str) -> int:
        """Forget a visitor: delete nickname, tokens, memberships, reactions and all messages.

        The rooms that they own are given to other members. Returns the number of deleted messages.
        The visitor is first marked as expired, so that after a crash any node's janitor completes
        the deletion.
        """
        self._being_forgotten.add(visitor_id)
        expiring = update(VisitorRow).where(col(VisitorRow.id) == visitor_id)
        with suppress(Unavailable):  # on a full disk the key is destroyed all the same
            async with self._database.transaction(visitor_id) as session:
                await session.exec(expiring.values(expires_at=self._clock()))
        await self._keys.destroy([visitor_key_name(visitor_id)])
        self._token_cache.evict_visitor(visitor_id)
        count = 0
        own = col(MessageRow.visitor_id) == visitor_id
        async for deletion in delete_messages(self._database, own, group=visitor_id):
            count += len(deletion.seqs)
            await self._bus.publish(deletion)
        async for reacted in self._forget_reactions(visitor_id):
            await self._bus.publish(reacted)
        async for event in self._leave_owned_rooms(visitor_id):
            await self._bus.publish(event)
        async for opened in self._forget_reader(visitor_id):
            await self._bus.publish(opened)
        members = select(MemberRow).where(MemberRow.visitor_id == visitor_id)
        members = members.order_by(col(MemberRow.room_id)).with_for_update()
        async with self._database.transaction(visitor_id) as session:
            await session.get(VisitorRow, visitor_id, with_for_update=True)
            memberships = (await session.exec(members)).all()
            knocks = select(KnockRow.room_id).where(KnockRow.visitor_id == visitor_id)
            knocked = (await session.exec(knocks)).all()
            deleted = await session.exec(delete(VisitorRow).where(col(VisitorRow.id) == visitor_id))
            await count_purged(session, visitors=deleted.rowcount)
        for room_id in knocked:
            await self._bus.publish(DoorsChanged(room_id))
        for member in memberships:
            await self._bus.publish(MemberLeft(member.room_id, visitor_id, member.author))
        await self._bus.publish(VisitorForgotten(visitor_id))
        self._being_forgotten.discard(visitor_id)
        return count

    async def retry_forgetting(self) -> None:
        """Retry deleting the rows of forgotten visitors after the database was unavailable."""
        for visitor_id in list(self._being_forgotten):
            with suppress(Unavailable):  # the next purge retries
                await self.forget(visitor_id)

    async def mark_open_pages_seen(self) -> None:
        """Periodically update `seen_at` of visitors with an open page or stream on this node."""
        now = self._clock()
        interval = min(MARK_SEEN_INTERVAL, seen_interval(self._settings, has_posted=False) / 2)
        if self._marked_at and now - self._marked_at < interval:
            return
        self._marked_at = now
        before = now - seen_interval(self._settings, has_posted=False)
        for ids in batches(sorted(self._open_pages.list_visitors()), _BATCH):
            query = select(VisitorRow).where(col(VisitorRow.id).in_(ids))
            query = query.where(col(VisitorRow.seen_at) < before)
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
        for places in batches(self._shares.visitors.list_places(), _BATCH):
            query = select(VisitorRow.id).where(col(VisitorRow.id).in_(places))
            async with self._database.read_session() as session:
                live = (await session.exec(query)).all()
            for place in set(places).difference(live):
                self._shares.visitors.release(place)

    def _note_seen(self, row: VisitorRow, now: datetime) -> None:
        lifetime = visitor_lifetime(self._settings, has_posted=row.has_posted)
        row.seen_at = floor_to_minute(now)
        row.expires_at = max(row.expires_at, ceil_to_minute(now + lifetime))

    async def _on_event(self, event: Event) -> None:
        match event:
            case TokenRevoked(visitor_id) | VisitorForgotten(visitor_id) | BadgeChanged(visitor_id):
                self._token_cache.evict_visitor(visitor_id)
            case EventsLost():
                self._shares_may_be_stale = True
                self._token_cache.clear()

    def _list_active(self) -> set[str]:
        """Return the ids of visitors with an open page or stream or a cached token on this node."""
        cached = self._token_cache.list_visitors(self._clock())
        return self._open_pages.list_visitors() | cached

    async def _find_holder(self, keys: NicknameKeys) -> VisitorRow | None:
        """Return the live visitor who holds the nickname or the most similar one, if any."""

        def difference(row: VisitorRow) -> tuple[bool, bool]:
            is_exact = keys.exact in (row.nickname_key, row.folded_key)
            return not is_exact, row.folded_key != keys.folded

        holders = await self._nicknames.find_holders(keys)
        return min(filter(self._is_live, holders), key=difference, default=None)

    async def _forget_expired_holders(self, keys: NicknameKeys) -> None:
        """Forget expired visitors that still hold the nickname because no purge ran since."""
        for holder in await self._nicknames.find_holders(keys):
            if not self._is_live(holder):
                await self.forget(holder.id)

    def _is_live(self, row: VisitorRow) -> bool:
        return row.expires_at > self._clock() and not self._keys.is_destroyed(
            visitor_key_name(row.id)
        )

    async def _add_token(self, session: AsyncSession, token: str, visitor_id: str) -> bool:
        """Add a token; revoke the oldest ones beyond the limit, and return whether there were any.

        Its `created_at` is later than that of all others, even of those of the same minute.
        """
        query = select(TokenRow).where(TokenRow.visitor_id == visitor_id)
        query = query.order_by(col(TokenRow.created_at).desc()).with_for_update()
        tokens = (await session.exec(query)).all()
        excess = tokens[self._settings.sessions_per_visitor_max - 1 :]
        for each in excess:
            await session.delete(each)
        after_others = (each.created_at + _MICROSECOND for each in tokens)
        created_at = max([floor_to_minute(self._clock()), *after_others])
        session.add(TokenRow(hash=fingerprint(token), visitor_id=visitor_id, created_at=created_at))
        return bool(excess)
