"""Who is who: coming in, being recognised, being forgotten."""

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

from ..background_threads import BackgroundThreads
from ..bus import Bus
from ..busy_networks import BusyNetworks
from ..clock import Clock
from ..coarse_time import minute_after, minute_before
from ..common_phrases import is_common
from ..costs import Cost
from ..database import Clash, Database, again_after_clash
from ..errors import N_, InvalidPhrase, LimitReached, NicknameTaken, Unavailable, WrongPhrase
from ..events import (
    BadgeChanged,
    Event,
    MemberLeft,
    MessagesGone,
    NewsMissed,
    TokenRevoked,
    VisitorForgotten,
)
from ..fair_semaphore import FairSemaphore
from ..ids import new_id
from ..keystore import KeyStore, visitor_key
from ..ledger import note_gone
from ..lifetimes import visitor_lifetime
from ..limits import Limits, client_networks
from ..locks import KeyedLocks
from ..lookalikes import SKELETON_VERSION, check_new_nickname, skeletons
from ..network_shares import Networks, NetworkShares
from ..nouns import Visitor
from ..open_screens import OpenScreens
from ..puzzle import Puzzle, TakenSolution
from ..seal import Hasher, fingerprint
from ..secret_phrase import (
    PhraseProof,
    is_old,
    is_same,
    make_old_key,
    make_proof,
    salt_of,
    tidy_phrase,
)
from ..settings import Settings
from ..text import fold, tidy_nickname
from ..tokens import TokenSigner
from ..vault import Vault
from ..work_budget import WorkBudget

_BATCH = 500
_SEEN_EVERY = timedelta(hours=1)
_ARRIVAL = timedelta(minutes=10)
_KNOWN = timedelta(minutes=1)
_KNOWN_MOST = 10_000
_MARK_SEEN_EVERY = timedelta(minutes=10)
_IDLE_AFTER = timedelta(minutes=1)
_CANDIDATES = 200  # idle visitors who are looked at to find one who gives way
_SKELETONS_BATCH = 50
_TICK = timedelta(microseconds=1)
_PHRASES_AT_ONCE = 2
_PHRASES_PER_NETWORK = 64
_PHRASES_IN_ALL = 1_024
_PHRASE_SECONDS = 60.0
_SITE_NAMES = ("anonchat",)
_STRANGERS_WAIT = timedelta(seconds=6)


class NicknameKeys(NamedTuple):
    """Keyed hashes by which a nickname is found: of its two skeletons, and of itself."""

    shape: bytes
    folded: bytes
    exact: bytes


class Identity:
    """Visitors and their tokens."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        work: WorkBudget,
        busy_networks: BusyNetworks,
        puzzle: Puzzle,
        shares: NetworkShares,
        open_screens: OpenScreens,
        keys: KeyStore,
        vault: Vault,
        hasher: Hasher,
    ) -> None:
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._work = work
        self._busy_networks = busy_networks
        self._puzzle = puzzle
        self._shares = shares
        self._open_screens = open_screens
        self._keys = keys
        self._vault = vault
        self._hasher = hasher
        self._tokens = TokenSigner(hasher)
        self._known: dict[bytes, tuple[datetime, Visitor]] = {}  # until when, by their tokens
        self._void: dict[bytes, None] = {}  # tokens that are no longer anybody's
        self._revocations = 0
        self._marked_at: datetime | None = None
        self._may_count_forgotten = False
        self._leaving: set[str] = set()
        self._phrase_locks: KeyedLocks[str] = KeyedLocks()  # by nickname
        self._hash_threads = BackgroundThreads(_PHRASES_AT_ONCE)
        self._phrase_slots = FairSemaphore(
            _PHRASES_AT_ONCE, reserved=0, waiting_most=_PHRASES_PER_NETWORK
        )
        bus.subscribe(self._on_event)

    async def come_in(
        self, nickname: str, *, phrase: str = "", address: str = "", solution: str = ""
    ) -> tuple[Visitor, str]:
        """Make a visitor of that nickname, and a token to recognise them by.

        With the secret phrase of the one who holds the nickname, the holder comes back instead,
        with a further token. A new visitor is forgotten soon unless the token arrives and is
        recognised. `address` is where they come from, if that is known: it is counted, and kept
        nowhere. `solution` is that of the puzzle, if one is posed: always, where the operator
        wants it so, and to those of a network from which many come. It is used up as soon as a
        phrase is hashed. Raises `PuzzleUnsolved`, `InvalidNickname`, `NicknameTaken`,
        `WrongPhrase`, `InvalidPhrase`, `TooOften`, `TooManyPhrases`, `LimitReached` or
        `Unavailable`.
        """
        name = tidy_nickname(nickname)
        phrase = tidy_phrase(phrase)
        bits = await self._count_arrival(address)
        with self._puzzle.spending(solution, bits=bits) as taken:
            if bits:
                await self._work.spend(Cost.SIGN_IN, pass_id=solution, address=address)
            proof = await self._prove(name, phrase, address, taken) if phrase else None
            visitor, token, displaced = await self._take_in(name, proof, address)
        self._shares.learn(visitor.id, address)
        if displaced:
            with suppress(Unavailable, LimitReached):  # a janitor's round does the rest
                await self.forget(displaced)
        return visitor, token

    async def _count_arrival(self, address: str) -> int:
        """Return how hard a challenge has to be solved because many come from there, or 0."""
        if not address:
            return 0
        try:
            self._limits.arrivals.spend_address(address)
            await self._work.spend(Cost.SIGN_IN, address=address, longest=_STRANGERS_WAIT)
        except LimitReached:
            return self._busy_networks.challenge_bits(address)
        return 0

    @again_after_clash
    async def _take_in(
        self, name: str, proof: PhraseProof | None, address: str
    ) -> tuple[Visitor, str, str | None]:
        """Return the visitor, a token, and the id of an idle visitor who has to give way."""
        keys = self._nickname_keys(name)
        await self._let_go(keys)
        token, now = self._tokens.make_token(), self._clock()
        created_at = minute_before(now)
        has_revoked, has_new_badge, displaced = False, False, None
        visitor_id = new_id()
        async with self._giving_up(visitor_id), self._database.transaction() as session:
            holding = _holders(keys).order_by(col(VisitorRow.id))
            holders = (await session.exec(holding.with_for_update(key_share=True))).all()
            await self._vault.learn_visitors(row.id for row in holders)
            if holders:
                holder = _find_owner(holders, proof)
                visitor = self._vault.open_visitor(holder) if holder else None
                if holder and visitor is None and self._vault.is_visitor_strange(holder.id):
                    raise Unavailable(N_("That could not be kept just now. Please try again."))
                if proof is None or holder is None or visitor is None:
                    raise self._refuse_nickname(holders[0], proof)
                if has_new_badge := holder.phrase_key != proof.key:
                    visitor = await self._renew_proof(holder, visitor, proof)
                has_revoked, created_at = await self._make_place_for_token(
                    session, holder.id, created_at
                )
            else:
                check_new_nickname(name)
                displaced = await self._make_place(session, self._shares.of_address(address))
                badge = proof.badge if proof else ""
                holder = VisitorRow(
                    id=visitor_id,
                    nickname_key=keys.shape,
                    folded_key=keys.folded,
                    skeleton_version=SKELETON_VERSION,
                    phrase_key=proof.key if proof else None,
                    sealed=await self._vault.seal_visitor(visitor_id, nickname=name, badge=badge),
                    # Not seen yet: the first time counts.
                    seen_at=minute_before(now - self._settings.visitor_ttl),
                    expires_at=minute_after(now + self._arrival()),
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

    @again_after_clash
    async def replace_token(self, token: str) -> str | None:
        """Return a new token in the place of this one, which is worthless from now on.

        Of several who give the same token, one is given a new one, and the others `None`.
        """
        hash, new = fingerprint(token), self._tokens.make_token()
        replacing = update(TokenRow).where(col(TokenRow.hash) == hash)
        async with self._database.transaction() as session:
            replaced = await session.exec(replacing.values(hash=fingerprint(new)))
        self._known.pop(hash, None)
        return new if replaced.rowcount else None

    @again_after_clash
    async def sign_out(self, token: str) -> None:
        """End a token, and all that is open with it; the visitor's other tokens stay good."""
        hash = fingerprint(token)
        async with self._database.reading() as session:
            row = await session.get(TokenRow, hash)
        if row is None:
            return
        async with self._database.transaction(row.visitor_id) as session:
            await session.exec(delete(TokenRow).where(col(TokenRow.hash) == hash))
        await self._bus.publish(TokenRevoked(row.visitor_id))

    async def is_free(self, nickname: str) -> bool:
        """Tell whether a nickname could be taken now; raise `InvalidNickname` if it is none."""
        name = tidy_nickname(nickname)
        check_new_nickname(name)
        async with self._database.reading() as session:
            holders = await _find_holders(session, self._nickname_keys(name))
        return not any(map(self._is_living, holders))

    async def recognise(self, token: str, *, address: str = "") -> Visitor | None:
        """Return whose token this is; being seen puts off the day of being forgotten.

        `address` is where it came from, if that is known: its networks are noted in memory. Tokens
        without a signature are older than those; how many of them are looked up for an address is
        bounded. Raises `TooOften` then, and `Unavailable` while only another node could tell.
        """
        visitor = await self._recognise(token, address)
        if visitor:
            self._shares.learn(visitor.id, address)
        return visitor

    async def _recognise(self, token: str, address: str) -> Visitor | None:
        hash, now = fingerprint(token), self._clock()
        until, visitor = self._known.get(hash, (now, None))
        if visitor and now < until and self._vault.knows(visitor.id):
            return visitor
        if hash in self._void:
            return None
        if not self._tokens.is_signed(token):
            if not self._tokens.could_be_unsigned(token):
                return None
            if address:
                self._limits.token_lookups.spend_address(address)
        revocations = self._revocations
        query = select(VisitorRow).join(TokenRow).where(TokenRow.hash == hash)
        async with self._database.reading() as session:
            row = (await session.exec(query)).first()
        if row is None or row.expires_at <= now:
            self._void[hash] = None
            if len(self._void) > _KNOWN_MOST:
                del self._void[next(iter(self._void))]
            return None
        if now - row.seen_at > self._seen_interval(has_posted=row.has_posted):
            async with self._database.transaction(row.id) as session:
                row = await session.get(VisitorRow, row.id, with_for_update={"key_share": True})
                if row is None or row.expires_at <= now:  # forgotten a moment ago
                    return None
                self._note_seen(row, now)
        await self._vault.learn_visitors([row.id])
        visitor = self._vault.open_visitor(row)
        if visitor is None and self._vault.is_visitor_strange(row.id):
            raise Unavailable(N_("That could not be kept just now. Please try again."))
        if visitor and revocations == self._revocations:  # else this token may be among them
            # Not for long: being seen has to be written down.
            known = min(_KNOWN, self._seen_interval(has_posted=visitor.has_posted))
            self._known[hash] = min(now + known, visitor.expires_at), visitor
            if len(self._known) > _KNOWN_MOST:
                del self._known[next(iter(self._known))]
        return visitor

    @again_after_clash
    async def forget(self, visitor_id: str) -> None:
        """Forget a visitor: nickname, tokens, memberships, and every message of theirs.

        First their time is said to be over: if we die on the way, any node's janitor goes on.
        """
        self._leaving.add(visitor_id)
        over = update(VisitorRow).where(col(VisitorRow.id) == visitor_id)
        with suppress(Unavailable):  # on a full disk the key goes nevertheless
            async with self._database.transaction(visitor_id) as session:
                await session.exec(over.values(expires_at=self._clock()))
        await self._keys.destroy([visitor_key(visitor_id)])
        self._unlearn(visitor_id)
        while await self._delete_messages(visitor_id):
            pass
        members = select(MemberRow).where(MemberRow.visitor_id == visitor_id)
        members = members.order_by(col(MemberRow.room_id)).with_for_update()
        async with self._database.transaction(visitor_id) as session:
            await session.get(VisitorRow, visitor_id, with_for_update=True)
            memberships = (await session.exec(members)).all()
            gone = await session.exec(delete(VisitorRow).where(col(VisitorRow.id) == visitor_id))
            await note_gone(session, visitors=gone.rowcount)
        for member in memberships:
            await self._bus.publish(MemberLeft(member.room_id, visitor_id, member.author))
        await self._bus.publish(VisitorForgotten(visitor_id))
        self._leaving.discard(visitor_id)

    async def finish_forgetting(self) -> None:
        """Forget those of whom the database has refused to delete all: their keys are gone."""
        for visitor_id in list(self._leaving):
            with suppress(Unavailable):  # the next round tries again
                await self.forget(visitor_id)

    async def mark_open_screens_seen(self) -> None:
        """Note that whoever has a page or a stream open on this node is here, now and then."""
        now = self._clock()
        every = min(_MARK_SEEN_EVERY, self._seen_interval(has_posted=False) / 2)
        if self._marked_at and now - self._marked_at < every:
            return
        self._marked_at = now
        ids = sorted(self._open_screens.list_visitors())
        before = now - self._seen_interval(has_posted=False)
        for begin in range(0, len(ids), _BATCH):
            here = col(VisitorRow.id).in_(ids[begin : begin + _BATCH])
            query = select(VisitorRow).where(here, col(VisitorRow.seen_at) < before)
            query = query.where(col(VisitorRow.expires_at) > now).order_by(col(VisitorRow.id))
            async with self._database.transaction() as session:
                locking = query.with_for_update(key_share=True, skip_locked=True)
                for row in (await session.exec(locking)).all():
                    self._note_seen(row, now)

    async def release_forgotten(self) -> None:
        """Count nobody in a client network any more whose end this node may have missed."""
        if not self._may_count_forgotten:
            return
        self._may_count_forgotten = False
        ids = [str(place) for place in self._shares.visitors.list_places()]
        for begin in range(0, len(ids), _BATCH):
            batch = ids[begin : begin + _BATCH]
            query = select(VisitorRow.id).where(col(VisitorRow.id).in_(batch))
            async with self._database.reading() as session:
                living = set((await session.exec(query)).all())
            for visitor_id in batch:
                if visitor_id not in living:
                    self._shares.visitors.release(visitor_id)

    def _note_seen(self, row: VisitorRow, now: datetime) -> None:
        life = visitor_lifetime(self._settings, has_posted=row.has_posted)
        row.seen_at = minute_before(now)
        row.expires_at = max(row.expires_at, minute_after(now + life))

    def _seen_interval(self, *, has_posted: bool) -> timedelta:
        """Return how often at most it is written down that a visitor was seen."""
        return min(_SEEN_EVERY, visitor_lifetime(self._settings, has_posted=has_posted) / 4)

    def _arrival(self) -> timedelta:
        """Return how long a visitor lives whose token was not recognised yet."""
        return min(_ARRIVAL, visitor_lifetime(self._settings, has_posted=False))

    async def _on_event(self, event: Event) -> None:
        match event:
            case TokenRevoked(visitor_id) | VisitorForgotten(visitor_id) | BadgeChanged(visitor_id):
                self._unlearn(visitor_id)
            case NewsMissed():
                self._may_count_forgotten = True
                self._revocations += 1
                self._known.clear()

    def _unlearn(self, visitor_id: str) -> None:
        """Ask the database again whose tokens those of a visitor are."""
        self._revocations += 1
        for hash in [hash for hash, (_, known) in self._known.items() if known.id == visitor_id]:
            del self._known[hash]

    async def _delete_messages(self, visitor_id: str) -> int:
        """Delete some messages of a visitor, not all at once: nobody shall wait long to post."""
        query = select(MessageRow.id, MessageRow.room_id, MessageRow.seq)
        query = query.where(MessageRow.visitor_id == visitor_id).limit(_BATCH)
        query = query.with_for_update(skip_locked=True)  # what another node deletes just now
        async with self._database.transaction(visitor_id) as session:
            batch = (await session.exec(query)).all()
            ids = [id for id, *_ in batch]
            await session.exec(delete(MessageRow).where(col(MessageRow.id).in_(ids)))
            if batch:
                await note_gone(session, messages=len(batch))
        said: dict[str, list[int]] = {}
        for _, room_id, seq in batch:
            said.setdefault(room_id, []).append(seq)
        for room_id, seqs in said.items():
            await self._bus.publish(MessagesGone(room_id, tuple(sorted(seqs))))
        return len(batch)

    async def update_skeletons(self) -> int:
        """Replace what was stored of nicknames by older rules; return how many were replaced.

        Of two visitors who look alike by the new rules both stay: one is found by the exact
        nickname alone. Another node may do the same meanwhile.
        """
        count, after = 0, ""
        while batch := await self._update_some_skeletons(after):
            count, after = count + len(batch), batch[-1]
        return count

    @again_after_clash
    async def _update_some_skeletons(self, after: str) -> list[str]:
        """Return the ids of those whose keys were replaced, or left since nothing opens them."""
        query = select(VisitorRow).where(VisitorRow.id > after)
        query = query.where(VisitorRow.skeleton_version != SKELETON_VERSION)
        query = query.order_by(col(VisitorRow.id)).limit(_SKELETONS_BATCH).with_for_update()
        async with self._database.transaction() as session:
            rows = (await session.exec(query)).all()
            await self._vault.learn_visitors(row.id for row in rows)
            opened = [(row, visitor) for row in rows if (visitor := self._vault.open_visitor(row))]
            keys = {}
            for row, visitor in opened:
                keys[row.id] = self._nickname_keys(visitor.nickname)
                await asyncio.sleep(0)  # a long nickname takes milliseconds
            taken = await _find_taken_keys(session, keys)
            for row, _ in opened:
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
            self._hasher.hash("exact nickname", fold(nickname)),
        )

    async def _prove(
        self, name: str, phrase: str, address: str, taken: TakenSolution
    ) -> PhraseProof:
        """Hash a phrase for a nickname; raise `WrongPhrase` if it is not that of the holder.

        Each wrong phrase costs one hash, whether the holder has a phrase, an old key of one, or
        none, so that the time tells nothing. One more hash replaces an old key.
        """
        keys = self._nickname_keys(name)
        holder = await self._find_holder(keys)
        if holder is None:
            check_new_nickname(name)
            if is_common(phrase, names=(name, *_SITE_NAMES)):
                raise InvalidPhrase(
                    N_("That phrase is too easy to guess. Please choose another one.")
                )
        tries = self._limits.wrong_phrases if holder else self._limits.new_phrases
        nickname = (holder.folded_key if holder else keys.folded).hex()
        tries.check(nickname)
        async with self._hashing(address), self._phrase_locks.holding(nickname):
            tries.check(nickname)  # again: others may have used them up meanwhile
            taken.use_up()
            is_right = False
            try:
                proof = await self._hash_phrase(phrase, keys.folded, holder)
                is_right = bool(proof and holder and proof.matches(holder.phrase_key))
            finally:
                if not is_right:
                    tries.add(nickname)
        if proof is None or (holder and not is_right):
            raise _wrong_phrase()
        return proof

    async def _hash_phrase(
        self, phrase: str, folded: bytes, holder: VisitorRow | None
    ) -> PhraseProof | None:
        """Hash a phrase as that of the holder was; return nothing if an old key is not its."""
        kept = holder.phrase_key if holder else None
        salt = self._hasher.phrase_salt(holder.folded_key if holder else folded)
        if kept is None or not is_old(kept):
            salt = salt_of(kept) if kept else salt
            return await self._hash_threads.run(make_proof, self._hasher, phrase, salt)
        old_key = await self._hash_threads.run(make_old_key, self._hasher, phrase)
        if not is_same(old_key, kept):
            return None
        proof = await self._hash_threads.run(make_proof, self._hasher, phrase, salt)
        return replace(proof, old_key=old_key)

    async def _renew_proof(
        self, holder: VisitorRow, visitor: Visitor, proof: PhraseProof
    ) -> Visitor:
        """Replace an old key of a phrase, and the badge that belonged to it."""
        holder.phrase_key = proof.key
        holder.sealed = await self._vault.seal_visitor(
            holder.id, nickname=visitor.nickname, badge=proof.badge
        )
        return replace(visitor, badge=proof.badge)

    def _refuse_nickname(self, holder: VisitorRow, proof: PhraseProof | None) -> NicknameTaken:
        """Return why a nickname is refused; one that came with a phrase counts as a wrong one."""
        if proof is None:
            return NicknameTaken(N_("That nickname, or one like it, is taken."))
        self._limits.wrong_phrases.add(holder.folded_key.hex())
        return _wrong_phrase()

    @asynccontextmanager
    async def _hashing(self, address: str) -> AsyncIterator[None]:
        """Hash phrases inside the block: few at a time, with turns between client networks.

        Of the widest network of a client a hash is kept, in memory alone.
        """
        if self._phrase_slots.count_waiting() >= _PHRASES_IN_ALL:
            raise LimitReached(N_("Too many come in at once. Please try again."))
        network, _ = client_networks(address)[-1]
        group = self._hasher.hash("network", network).hex()
        async with self._phrase_slots.slot(group, longest=_PHRASE_SECONDS):
            yield

    async def _find_holder(self, keys: NicknameKeys) -> VisitorRow | None:
        """Return who holds the nickname now; of several who are like it, the one most like it."""
        async with self._database.reading() as session:
            holders = await _find_holders(session, keys)

        def unlikeness(row: VisitorRow) -> tuple[bool, bool]:
            is_exact = keys.exact in (row.nickname_key, row.folded_key)
            return not is_exact, row.folded_key != keys.folded

        return min(filter(self._is_living, holders), key=unlikeness, default=None)

    @asynccontextmanager
    async def _giving_up(self, visitor_id: str) -> AsyncIterator[None]:
        """Leave no key behind for a visitor whose nickname another has taken in this moment."""
        try:
            yield
        except Clash:
            await self._keys.destroy([visitor_key(visitor_id)])
            raise

    async def _let_go(self, keys: NicknameKeys) -> None:
        """Forget those who hold the nickname and live no more, whether or not anybody purged."""
        async with self._database.reading() as session:
            holders = await _find_holders(session, keys)
        for holder in holders:
            if not self._is_living(holder):
                await self.forget(holder.id)

    def _is_living(self, row: VisitorRow) -> bool:
        return row.expires_at > self._clock() and not self._keys.is_gone(visitor_key(row.id))

    async def _make_place(self, session: AsyncSession, networks: Networks) -> str | None:
        """Make sure that there is a place for one more visitor from these networks.

        If there is none, or they have their share, an idle visitor of a network that holds more is
        claimed: their time is over now, and their id is returned. Raises `LimitReached`.
        """
        bound = self._settings.visitors_max
        count = (await session.exec(select(func.count()).select_from(VisitorRow))).one()
        if self._shares.visitors.is_within_share(networks, bound=bound, taken=count):
            return None
        busy = self._list_busy()
        for row in (await session.exec(self._idle().limit(_CANDIDATES))).all():
            if row.id not in busy and self._shares.visitors.may_displace(
                networks, row.id, bound=bound
            ):
                claimed = (await session.exec(self._claiming(row.id))).first()
                if claimed:
                    claimed.expires_at = self._clock()
                    return claimed.id
        if count >= bound:
            raise LimitReached(N_("This place is full. Please come back later."))
        raise LimitReached(N_("Too many from your network are here. Please come back later."))

    def _list_busy(self) -> set[str]:
        """Return who has a page or a stream open on this node, or was recognised a moment ago."""
        now = self._clock()
        known = {visitor.id for until, visitor in self._known.values() if until > now}
        return self._open_screens.list_visitors() | known

    def _idle(self) -> SelectOfScalar[VisitorRow]:
        """Select visitors who have never posted and seem not to be here, the shortest life first.

        Not among them is who owns a living room that others have entered, and whose token is on its
        way to a browser. Of other nodes the screens are not known, but that each was noted as seen.
        """
        now, ends = self._clock(), col(VisitorRow.expires_at)
        unseen = _IDLE_AFTER
        if self._settings.has_peers:
            unseen = self._seen_interval(has_posted=False) + 2 * _MARK_SEEN_EVERY
        arrived = now + self._arrival() - _IDLE_AFTER
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
                col(VisitorRow.seen_at) <= now - unseen,
                ends > now,
                or_(ends <= arrived, ends > minute_after(now + self._arrival())),
                ~owned,
            )
            .order_by(ends)
        )

    def _claiming(self, visitor_id: str) -> SelectOfScalar[VisitorRow]:
        """Select an idle visitor, unless they have posted or were seen in this moment."""
        query = self._idle().where(VisitorRow.id == visitor_id)
        return query.with_for_update(skip_locked=True)

    async def _make_place_for_token(
        self, session: AsyncSession, visitor_id: str, minute: datetime
    ) -> tuple[bool, datetime]:
        """Revoke the oldest tokens, if there are too many.

        Return whether there were, and the time of a new token that was made in that minute: it is
        the newest, also of several in the same minute.
        """
        held = select(TokenRow).where(TokenRow.visitor_id == visitor_id)
        held = held.order_by(col(TokenRow.created_at).desc()).with_for_update()
        tokens = (await session.exec(held)).all()
        too_many = tokens[self._settings.browsers_per_visitor_max - 1 :]
        for token in too_many:
            await session.delete(token)
        created_at = max([minute, *(token.created_at + _TICK for token in tokens)])
        return bool(too_many), created_at


async def _find_holders(session: AsyncSession, keys: NicknameKeys) -> Sequence[VisitorRow]:
    """Return who bears the nickname or one like it; two may, each alike in another way."""
    return (await session.exec(_holders(keys))).all()


def _holders(keys: NicknameKeys) -> SelectOfScalar[VisitorRow]:
    return select(VisitorRow).where(
        or_(
            col(VisitorRow.nickname_key).in_([keys.shape, keys.exact]),
            col(VisitorRow.folded_key).in_([keys.folded, keys.exact]),
        )
    )


async def _find_taken_keys(session: AsyncSession, keys: dict[str, NicknameKeys]) -> set[bytes]:
    """Return all keys of whoever holds one of these."""
    query = select(VisitorRow.nickname_key, VisitorRow.folded_key).where(
        or_(
            col(VisitorRow.nickname_key).in_({each.shape for each in keys.values()}),
            col(VisitorRow.folded_key).in_({each.folded for each in keys.values()}),
        )
    )
    return {key for row in await session.exec(query) for key in row}


def _find_owner(holders: Sequence[VisitorRow], proof: PhraseProof | None) -> VisitorRow | None:
    """Return of which of these visitors this is the secret phrase."""
    return next((row for row in holders if proof and proof.matches(row.phrase_key)), None)


def _wrong_phrase() -> WrongPhrase:
    return WrongPhrase(
        N_("That nickname, or one like it, is taken, and this is not its secret phrase.")
    )
