"""Who is who: coming in, being recognised, being forgotten."""

import asyncio
import hmac
import unicodedata
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from sqlmodel import col, delete, func, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from models import MemberRow, MessageRow, TokenRow, VisitorRow

from ..bus import Bus
from ..clock import Clock
from ..database import Clash, Database, again_after_clash
from ..errors import N_, InvalidPhrase, LimitReached, NicknameTaken, Unavailable
from ..events import Event, MemberLeft, MessagesGone, NewsMissed, TokenRevoked, VisitorForgotten
from ..ids import LEGIBLE, new_id, new_token
from ..keystore import KeyStore, visitor_key
from ..ledger import note_gone
from ..limits import Limits, neighbourhood
from ..nouns import Visitor
from ..puzzle import Puzzle
from ..seal import Hasher, fingerprint
from ..settings import Settings
from ..text import skeletons, tidy_nickname
from ..vault import Vault

_PHRASE_CHARACTERS = range(8, 201)
_RAW_PHRASE_CHARACTERS = 400
_BADGE_CHARACTERS = 5
_BATCH = 500
_SEEN_EVERY = timedelta(hours=1)
_ARRIVAL = timedelta(minutes=10)
_KNOWN = timedelta(minutes=1)
_KNOWN_MOST = 10_000
_PHRASES_WAITING_MOST = 50


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
        puzzle: Puzzle,
        keys: KeyStore,
        vault: Vault,
        hasher: Hasher,
    ) -> None:
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._puzzle = puzzle
        self._keys = keys
        self._vault = vault
        self._hasher = hasher
        self._known: dict[bytes, tuple[datetime, Visitor]] = {}  # until when, by their tokens
        self._revocations = 0
        self._leaving: set[str] = set()
        self._stretching = asyncio.Semaphore(1)
        self._phrases_waiting = 0
        bus.subscribe(self._on_event)

    async def come_in(
        self, nickname: str, *, phrase: str = "", address: str = "", solution: str = ""
    ) -> tuple[Visitor, str]:
        """Make a visitor of that nickname, and a token to recognise them by.

        With the secret phrase of the one who holds the nickname, the holder comes back instead,
        with a further token. A new visitor is forgotten soon unless the token arrives and is
        recognised. `address` is where they come from, if that is known: it is counted, and kept
        nowhere. `solution` is that of the puzzle, if one is posed. Raises `PuzzleUnsolved`,
        `InvalidNickname`, `NicknameTaken`, `InvalidPhrase`, `TooOften`, `LimitReached` or
        `Unavailable`.
        """
        name = tidy_nickname(nickname)
        if address:
            self._limits.arrivals.spend(neighbourhood(address))
        with self._puzzle.spending(solution):
            return await self._take_in(name, phrase)

    @again_after_clash
    async def _take_in(self, name: str, phrase: str) -> tuple[Visitor, str]:
        shape, folded = self._nickname_keys(name)
        phrase_key, badge = await self._prove(phrase)
        await self._let_go(shape, folded)
        token, now = new_token(), self._clock()
        has_revoked = False
        visitor_id = new_id()
        async with self._giving_up(visitor_id), self._database.transaction() as session:
            holding = _holders(shape, folded).order_by(col(VisitorRow.id))
            holders = (await session.exec(holding.with_for_update(key_share=True))).all()
            await self._vault.learn_visitors(row.id for row in holders)
            if holders:
                holder = next((row for row in holders if _same(phrase_key, row.phrase_key)), None)
                visitor = self._vault.open_visitor(holder) if holder else None
                if holder is None or visitor is None:
                    raise NicknameTaken(N_("That nickname, or one like it, is taken."))
                has_revoked = await self._make_place_for_token(session, holder.id)
            else:
                await self._check_space(session)
                holder = VisitorRow(
                    id=visitor_id,
                    nickname_key=shape,
                    folded_key=folded,
                    phrase_key=phrase_key,
                    sealed=await self._vault.seal_visitor(visitor_id, nickname=name, badge=badge),
                    seen_at=now - self._settings.visitor_ttl,  # not yet: the first time counts
                    expires_at=now + min(_ARRIVAL, self._settings.visitor_ttl),
                )
                session.add(holder)
                await session.flush()
                visitor = Visitor(visitor_id, name, badge, holder.expires_at)
            session.add(TokenRow(hash=fingerprint(token), visitor_id=holder.id, created_at=now))
        if has_revoked:
            await self._bus.publish(TokenRevoked(visitor.id))
        return visitor, token

    async def is_free(self, nickname: str) -> bool:
        """Tell whether a nickname could be taken now; raise `InvalidNickname` if it is none."""
        shape, folded = self._nickname_keys(tidy_nickname(nickname))
        async with self._database.reading() as session:
            holders = await _find_holders(session, shape, folded)
        return not any(map(self._is_living, holders))

    async def recognise(self, token: str) -> Visitor | None:
        """Return whose token this is; being seen puts off the day of being forgotten.

        Raises `Unavailable` while only another node could tell.
        """
        hash, now = fingerprint(token), self._clock()
        until, visitor = self._known.get(hash, (now, None))
        if visitor and now < until and self._vault.knows(visitor.id):
            return visitor
        revocations = self._revocations
        query = select(VisitorRow).join(TokenRow).where(TokenRow.hash == hash)
        async with self._database.reading() as session:
            row = (await session.exec(query)).first()
        if row is None or row.expires_at <= now:
            return None
        if now - row.seen_at > min(_SEEN_EVERY, self._settings.visitor_ttl / 4):
            async with self._database.transaction() as session:
                row = await session.get(VisitorRow, row.id, with_for_update={"key_share": True})
                if row is None or row.expires_at <= now:  # forgotten a moment ago
                    return None
                row.seen_at = now
                row.expires_at = max(row.expires_at, now + self._settings.visitor_ttl)
        await self._vault.learn_visitors([row.id])
        visitor = self._vault.open_visitor(row)
        if visitor is None and self._vault.is_visitor_strange(row.id):
            raise Unavailable(N_("That could not be kept just now. Please try again."))
        if visitor and revocations == self._revocations:  # else this token may be among them
            known = min(_KNOWN, self._settings.visitor_ttl / 4)  # being seen has to be written down
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
            async with self._database.transaction() as session:
                await session.exec(over.values(expires_at=self._clock()))
        await self._keys.destroy([visitor_key(visitor_id)])
        self._unlearn(visitor_id)
        while await self._delete_messages(visitor_id):
            pass
        members = select(MemberRow).where(MemberRow.visitor_id == visitor_id)
        members = members.order_by(col(MemberRow.room_id)).with_for_update()
        async with self._database.transaction() as session:
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

    async def _on_event(self, event: Event) -> None:
        match event:
            case TokenRevoked(visitor_id) | VisitorForgotten(visitor_id):
                self._unlearn(visitor_id)
            case NewsMissed():
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
        async with self._database.transaction() as session:
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

    def _nickname_keys(self, nickname: str) -> tuple[bytes, bytes]:
        shape, folded = skeletons(nickname)
        return self._hasher.hash("nickname", shape), self._hasher.hash("folded", folded)

    async def _prove(self, phrase: str) -> tuple[bytes | None, str]:
        """Return what is kept of a phrase, and the badge that others see."""
        if not isinstance(phrase, str):
            raise InvalidPhrase(N_("That is not a text."))
        if len(phrase) > _RAW_PHRASE_CHARACTERS:  # normalising could take long
            raise _bad_phrase()
        phrase = unicodedata.normalize("NFKC", phrase).strip()
        if not phrase:
            return None, ""
        if len(phrase) not in _PHRASE_CHARACTERS:
            raise _bad_phrase()
        if self._phrases_waiting >= _PHRASES_WAITING_MOST:
            raise LimitReached(N_("Too many come in at once. Please try again."))
        self._phrases_waiting += 1
        try:
            async with self._stretching:  # slow and large on purpose: one at a time
                stretched = await asyncio.to_thread(self._hasher.stretch, phrase)
        finally:
            self._phrases_waiting -= 1
        badge = "".join(LEGIBLE[byte % len(LEGIBLE)] for byte in stretched[:_BADGE_CHARACTERS])
        return self._hasher.hash("proof", stretched.hex()), badge

    @asynccontextmanager
    async def _giving_up(self, visitor_id: str) -> AsyncIterator[None]:
        """Leave no key behind for a visitor whose nickname another has taken in this moment."""
        try:
            yield
        except Clash:
            await self._keys.destroy([visitor_key(visitor_id)])
            raise

    async def _let_go(self, shape: bytes, folded: bytes) -> None:
        """Forget those who hold the nickname and live no more, whether or not anybody purged."""
        async with self._database.reading() as session:
            holders = await _find_holders(session, shape, folded)
        for holder in holders:
            if not self._is_living(holder):
                await self.forget(holder.id)

    def _is_living(self, row: VisitorRow) -> bool:
        return row.expires_at > self._clock() and not self._keys.is_gone(visitor_key(row.id))

    async def _check_space(self, session: AsyncSession) -> None:
        count = (await session.exec(select(func.count()).select_from(VisitorRow))).one()
        if count >= self._settings.visitors_max:
            raise LimitReached(N_("This place is full. Please come back later."))

    async def _make_place_for_token(self, session: AsyncSession, visitor_id: str) -> bool:
        """Revoke the oldest tokens, if there are too many; tell whether there were."""
        held = select(TokenRow).where(TokenRow.visitor_id == visitor_id)
        held = held.order_by(col(TokenRow.created_at).desc()).with_for_update()
        tokens = (await session.exec(held)).all()
        too_many = tokens[self._settings.browsers_per_visitor_max - 1 :]
        for token in too_many:
            await session.delete(token)
        return bool(too_many)


async def _find_holders(session: AsyncSession, shape: bytes, folded: bytes) -> Sequence[VisitorRow]:
    """Return who bears the nickname or one like it; two may, each alike in another way."""
    return (await session.exec(_holders(shape, folded))).all()


def _holders(shape: bytes, folded: bytes) -> SelectOfScalar[VisitorRow]:
    return select(VisitorRow).where(
        or_(VisitorRow.nickname_key == shape, VisitorRow.folded_key == folded)
    )


def _same(given: bytes | None, kept: bytes | None) -> bool:
    return given is not None and kept is not None and hmac.compare_digest(given, kept)


def _bad_phrase() -> InvalidPhrase:
    return InvalidPhrase(
        N_("A secret phrase has {least} to {most} characters."),
        least=_PHRASE_CHARACTERS[0],
        most=_PHRASE_CHARACTERS[-1],
    )
