"""Saving what was said: one's own messages, and a transcript if everybody present agrees."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from ..bus import Bus
from ..entities import Member, Room, TranscriptFile, TranscriptQuestion
from ..errors import N_, LimitReached, NotFound
from ..events import (
    Event,
    EventsLost,
    MemberLeft,
    PresenceChanged,
    RoomEnded,
    TranscriptAnswered,
    TranscriptAsked,
    TranscriptEnded,
)
from ..ids import new_id
from ..limits.rate_limits import Limits
from ..runtime.bounded_dict import BoundedDict
from ..runtime.clock import Clock
from ..runtime.cooperative import iterate_cooperatively
from ..storage.message_export import MessageExport
from ..text.transcripts import format_time, message_as_json, message_as_text

ANSWER_TIME = timedelta(seconds=60)
"""How long members have to agree to a transcript."""
_SAVED_WITHIN = timedelta(minutes=10)
_QUESTIONS_MAX = 10_000  # open ones, one of each room
_GRANTS_MAX = 10_000
_NO_TRANSCRIPT = N_("There is no such transcript: not everybody has agreed, or it is too late.")

Format = Literal["json", "text"]


@dataclass(slots=True)
class _Poll:
    """A question that was asked on this node, which alone counts the answers.

    `asked` are the authors who had the room open at any moment since, hidden ones too.
    """

    question: TranscriptQuestion
    asked: set[str]
    agreed: set[str] = field(default_factory=set)


class Transcripts:
    """Saves the messages of one visitor, or those of everybody with their consent.

    A question for a transcript is shown to all who have the room open, on any node. Whoever comes
    in meanwhile is asked, too, and whoever goes without an answer has not agreed. It ends with the
    first refusal, after 60 s, or once all have agreed: then the member who asked may save, for ten
    minutes, what was said before the question and has not expired.

    The node where it was asked decides. If events were lost, it has not heard everybody: then the
    question ends without a transcript. Nothing of it is stored.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        export: MessageExport,
        require_member: Callable[[str, str], Awaitable[Member]],
        list_open: Callable[[str], frozenset[str]],
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._export = export
        self._require_member = require_member
        self._list_open = list_open
        self._questions: BoundedDict[str, TranscriptQuestion] = BoundedDict(_QUESTIONS_MAX)
        self._polls: dict[str, _Poll] = {}  # by id
        self._granted: BoundedDict[str, tuple[TranscriptQuestion, datetime]] = BoundedDict(
            _GRANTS_MAX
        )
        bus.subscribe(self._on_event)

    async def save_own(self, room: Room, *, visitor_id: str, format: Format) -> TranscriptFile:
        """Return what a member has written in a room and is still there.

        Raises `NotAMember`, `RateLimited` or `Unavailable`.
        """
        await self._require_member(room.id, visitor_id)
        self._limits.exports.hit(visitor_id)
        return await self._save(room, visitor_id, format, author_id=visitor_id)

    async def ask(self, room_id: str, *, visitor_id: str) -> TranscriptQuestion:
        """Ask all who are present for the transcript of a room; the one who asks agrees.

        Raises `NotAMember`, `RateLimited`, `Unavailable`, or `LimitReached` while there is another
        question in the room.
        """
        member = await self._require_member(room_id, visitor_id)
        last_seq = await self._export.find_last_seq(room_id)
        if self.find_question(room_id):
            raise LimitReached(N_("Somebody has asked for a transcript already."))
        self._limits.transcripts.hit(visitor_id)
        until = self._clock() + ANSWER_TIME
        question = TranscriptQuestion(new_id(), room_id, member.author, until, last_seq)
        self._questions[room_id] = question
        self._polls[question.id] = _Poll(question, {*self._list_open(room_id), member.author})
        await self._bus.publish(TranscriptAsked(question))
        await self._bus.publish(TranscriptAnswered(room_id, question.id, member.author, True))
        return question

    def find_granted(self, room_id: str, *, author: str) -> TranscriptQuestion | None:
        """Return the question of a member to which all have agreed, while they may save."""
        now = self._clock()
        for question, until in reversed(self._granted.values()):
            if (question.room_id, question.author) == (room_id, author) and until > now:
                return question
        return None

    def find_question(self, room_id: str) -> TranscriptQuestion | None:
        """Return the open question of a room."""
        question = self._questions.get(room_id)
        return question if question and question.until > self._clock() else None

    async def answer(
        self, room_id: str, *, visitor_id: str, question_id: str, agrees: bool
    ) -> None:
        """Agree to a transcript, or refuse it, which ends the question.

        Raises `NotAMember`, or `NotFound` if it has ended.
        """
        member = await self._require_member(room_id, visitor_id)
        question = self.find_question(room_id)
        if question is None or question.id != question_id:
            raise NotFound(N_("This question has ended."))
        await self._bus.publish(TranscriptAnswered(room_id, question_id, member.author, agrees))

    async def save(
        self, room: Room, *, visitor_id: str, question_id: str, format: Format
    ) -> TranscriptFile:
        """Return the transcript that all have agreed to, for the member who has asked.

        Raises `NotAMember`, `RateLimited`, `Unavailable`, or `NotFound` if there is none for them.
        """
        member = await self._require_member(room.id, visitor_id)
        question, until = self._granted.get(question_id, (None, self._clock()))
        if (
            question is None
            or (question.room_id, question.author) != (room.id, member.author)
            or until <= self._clock()
        ):
            raise NotFound(_NO_TRANSCRIPT)
        self._limits.exports.hit(visitor_id)
        return await self._save(room, visitor_id, format, last_seq=question.last_seq)

    async def tick(self) -> None:
        """End the questions whose time is over, and forget old ones."""
        now = self._clock()
        for poll in list(self._polls.values()):
            self._add_asked(poll)
            if poll.question.until <= now:
                await self._end(poll, granted=False)
        for room_id, question in list(self._questions.items()):
            if question.until <= now:
                del self._questions[room_id]
        for id, (_, until) in list(self._granted.items()):
            if until <= now:
                del self._granted[id]

    async def _save(
        self,
        room: Room,
        visitor_id: str,
        format: Format,
        *,
        author_id: str = "",
        last_seq: int | None = None,
    ) -> TranscriptFile:
        messages, is_complete = await self._export.read(
            room.id, group=visitor_id, visitor_id=author_id, last_seq=last_seq
        )
        now = self._clock()
        if format == "text":
            parts = [f"{room.name}\n{now:%Y-%m-%d %H:%M:%S} UTC\n\n"]
            if not is_complete:
                parts.append("…\n")
            parts += [message_as_text(each) async for each in iterate_cooperatively(messages)]
            text = "".join(parts)
            return TranscriptFile("messages.txt", "text/plain", text.encode(), len(messages))
        drawn = [message_as_json(each) async for each in iterate_cooperatively(messages)]
        head = {
            "room": {"slug": room.slug, "name": room.name},
            "saved_at": format_time(now),
            "complete": is_complete,
        }
        text = f'{json.dumps(head, ensure_ascii=False)[:-1]}, "messages": [{", ".join(drawn)}]}}'
        return TranscriptFile("messages.json", "application/json", text.encode(), len(messages))

    async def _on_event(self, event: Event) -> None:
        match event:
            case TranscriptAsked(question):
                self._questions[question.room_id] = question
            case TranscriptAnswered(_, id, author, agrees) if poll := self._polls.get(id):
                await self._count(poll, author, agrees=agrees)
            case TranscriptEnded(question, granted):
                if self._questions.get(question.room_id) == question:
                    del self._questions[question.room_id]
                if granted:
                    self._granted[question.id] = question, self._clock() + _SAVED_WITHIN
            case PresenceChanged(member):
                for poll in self._list_polls(member.room_id):
                    self._add_asked(poll)
            case MemberLeft(room_id, _, author):
                for poll in self._list_polls(room_id):
                    if poll.question.author == author:
                        await self._end(poll, granted=False)
            case RoomEnded(room_id):
                self._questions.pop(room_id, None)
                for poll in self._list_polls(room_id):
                    del self._polls[poll.question.id]
            case EventsLost():
                for poll in list(self._polls.values()):
                    await self._end(poll, granted=False)

    def _add_asked(self, poll: _Poll) -> None:
        """Note who has come in; of those who hide it there is no event."""
        poll.asked |= self._list_open(poll.question.room_id)

    def _list_polls(self, room_id: str) -> list[_Poll]:
        return [poll for poll in self._polls.values() if poll.question.room_id == room_id]

    async def _count(self, poll: _Poll, author: str, *, agrees: bool) -> None:
        if not agrees or poll.question.until <= self._clock():
            await self._end(poll, granted=False)
            return
        self._add_asked(poll)
        poll.agreed.add(author)
        if poll.asked <= poll.agreed:
            await self._end(poll, granted=True)

    async def _end(self, poll: _Poll, *, granted: bool) -> None:
        if self._polls.pop(poll.question.id, None):
            await self._bus.publish(TranscriptEnded(poll.question, granted))
