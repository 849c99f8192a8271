"""Saving what was said: own messages, and transcripts that all who are present agree to."""

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from anonchat import (
    Chat,
    LimitReached,
    Member,
    NotAMember,
    NotFound,
    Post,
    RateLimited,
    Room,
    TranscriptAsked,
    TranscriptEnded,
    TranscriptQuestion,
    Visitor,
)
from anonchat.events import EventsLost
from anonchat.storage import message_export
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    post_messages,
    read_all_bytes,
    running_chat,
    sign_in,
)


@dataclass
class Place:
    """A room with Ann, Ben and Mira."""

    chat: Chat
    clock: FakeClock
    room: Room
    ann: Visitor
    ben: Visitor
    mira: Visitor

    async def member(self, visitor: Visitor) -> Member:
        return await self.chat.memberships.require(self.room.id, visitor_id=visitor.id)

    async def enter(self, *visitors: Visitor) -> None:
        """Open the room on a page of each."""
        for visitor in visitors:
            member = await self.member(visitor)
            await self.chat.presence.enter(member, page_id=visitor.id)

    async def close(self, visitor: Visitor) -> None:
        """Close the page."""
        await self.chat.presence.leave(await self.member(visitor), page_id=visitor.id)

    async def ask(self, visitor: Visitor) -> TranscriptQuestion:
        return await self.chat.transcripts.ask(self.room.id, visitor_id=visitor.id)

    async def answer(
        self, visitor: Visitor, question: TranscriptQuestion, *, agrees: bool = True
    ) -> None:
        await self.chat.transcripts.answer(
            self.room.id, visitor_id=visitor.id, question_id=question.id, agrees=agrees
        )

    async def save(self, visitor: Visitor, question: TranscriptQuestion) -> list[str]:
        """Return the texts of the transcript."""
        file = await self.chat.transcripts.save(
            self.room, visitor_id=visitor.id, question_id=question.id, format="json"
        )
        return [message["text"] for message in json.loads(file.content)["messages"]]

    async def save_own(
        self, visitor: Visitor, format: Literal["json", "text"] = "json"
    ) -> tuple[dict[str, Any], str]:
        file = await self.chat.transcripts.save_own(self.room, visitor_id=visitor.id, format=format)
        text = file.content.decode()
        return (json.loads(text) if format == "json" else {}), text


@pytest.fixture
async def place(chat: Chat, clock: FakeClock) -> Place:
    room, visitors = await create_room_with_members(chat, "night train", "Ann", "Ben", "Mira")
    return Place(chat, clock, room, *visitors)


async def test_own_messages_are_saved_without_those_of_others(place: Place) -> None:
    await post_messages(place.chat, place.room, place.ann, "mine", "two\nlines")
    await post_messages(place.chat, place.room, place.mira, "not Ann's")
    once = Post("opened once", once=True)
    await place.chat.messages.post(place.room.id, visitor_id=place.ann.id, post=once)
    content, _ = await place.save_own(place.ann)
    assert content["room"] == {"slug": "night-train", "name": "night train"}
    assert content["complete"] is True
    assert [message["text"] for message in content["messages"]] == ["mine", "two\nlines"]
    assert {message["nickname"] for message in content["messages"]} == {"Ann"}
    _, text = await place.save_own(place.ann, "text")
    assert text.endswith(
        "2030-01-01 12:00:00 UTC  Ann: mine\n2030-01-01 12:00:00 UTC  Ann: two\n    lines\n"
    )


async def test_expired_and_deleted_messages_are_not_saved(place: Place) -> None:
    brief = Post("brief", ttl=timedelta(minutes=1))
    await place.chat.messages.post(place.room.id, visitor_id=place.ann.id, post=brief)
    gone = await place.chat.messages.post(
        place.room.id, visitor_id=place.ann.id, post=Post("deleted")
    )
    await place.chat.messages.delete(place.room.id, visitor_id=place.ann.id, message_id=gone.id)
    await post_messages(place.chat, place.room, place.ann, "stays")
    place.clock.advance(timedelta(minutes=1))
    content, _ = await place.save_own(place.ann)
    assert [message["text"] for message in content["messages"]] == ["stays"]


async def test_file_is_bounded_to_the_newest_messages(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [str(number) for number in range(250)]
    await post_messages(place.chat, place.room, place.ann, *texts)
    content, _ = await place.save_own(place.ann)
    assert [message["text"] for message in content["messages"]] == texts
    monkeypatch.setattr(message_export, "EXPORTED_MAX", 120)
    content, _ = await place.save_own(place.ann)
    assert [message["text"] for message in content["messages"]] == texts[-120:]
    assert content["complete"] is False
    monkeypatch.setattr(message_export, "_CHARACTERS_MAX", 9)
    content, _ = await place.save_own(place.ann)
    assert [message["text"] for message in content["messages"]] == texts[-3:]


async def test_only_members_save_and_within_their_limit(tmp_path: Path) -> None:
    clock = FakeClock()
    async with running_chat(tmp_path, clock, exports_per_visitor="1/1m") as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        zoe = await sign_in(chat, "Zoe")
        for call in (chat.transcripts.save_own, chat.transcripts.save):
            options = {} if call == chat.transcripts.save_own else {"question_id": "x"}
            with pytest.raises(NotAMember):
                await call(room, visitor_id=zoe.id, format="json", **options)  # type: ignore[operator]
        with pytest.raises(NotAMember):
            await chat.transcripts.ask(room.id, visitor_id=zoe.id)
        await chat.transcripts.save_own(room, visitor_id=ann.id, format="json")
        with pytest.raises(RateLimited):
            await chat.transcripts.save_own(room, visitor_id=ann.id, format="text")


async def test_transcript_is_saved_once_all_who_are_present_agree(place: Place) -> None:
    await post_messages(place.chat, place.room, place.ann, "one")
    await post_messages(place.chat, place.room, place.mira, "two")
    await place.enter(place.ann, place.ben)  # Mira is not there
    recorder = EventRecorder(place.chat)
    question = await place.ask(place.ann)
    with pytest.raises(NotFound):
        await place.save(place.ann, question)
    await post_messages(place.chat, place.room, place.ben, "said after the question")
    await place.answer(place.ben, question)
    assert await place.save(place.ann, question) == ["one", "two"]
    assert [event.question for event in recorder.of_type(TranscriptAsked)] == [question]
    assert [event.granted for event in recorder.of_type(TranscriptEnded)] == [True]
    for visitor in (place.ben, place.mira):  # it is for who has asked
        with pytest.raises(NotFound):
            await place.save(visitor, question)
    place.clock.advance(timedelta(minutes=10))
    with pytest.raises(NotFound):
        await place.save(place.ann, question)


async def test_messages_that_are_opened_once_are_in_no_transcript(place: Place) -> None:
    once = Post("opened once", once=True)
    await place.chat.messages.post(place.room.id, visitor_id=place.mira.id, post=once)
    await post_messages(place.chat, place.room, place.mira, "two")
    question = await place.ask(place.ann)
    assert await place.save(place.ann, question) == ["two"]


async def test_messages_that_expire_after_the_question_are_in_no_transcript(place: Place) -> None:
    brief = Post("brief", ttl=timedelta(minutes=1))
    await place.chat.messages.post(place.room.id, visitor_id=place.mira.id, post=brief)
    question = await place.ask(place.ann)
    place.clock.advance(timedelta(minutes=1))
    assert await place.save(place.ann, question) == []


async def test_one_refusal_ends_the_question(place: Place) -> None:
    await place.enter(place.ann, place.ben, place.mira)
    recorder = EventRecorder(place.chat)
    question = await place.ask(place.ann)
    await place.answer(place.ben, question, agrees=False)
    assert [event.granted for event in recorder.of_type(TranscriptEnded)] == [False]
    with pytest.raises(NotFound):
        await place.answer(place.mira, question)
    with pytest.raises(NotFound):
        await place.save(place.ann, question)
    assert place.chat.transcripts.find_question(place.room.id) is None


async def test_question_ends_after_sixty_seconds(place: Place) -> None:
    await place.enter(place.ann, place.ben)
    recorder = EventRecorder(place.chat)
    question = await place.ask(place.ann)
    place.clock.advance(timedelta(seconds=59))
    await place.chat.transcripts.tick()
    assert place.chat.transcripts.find_question(place.room.id) == question
    place.clock.advance(timedelta(seconds=1))
    with pytest.raises(NotFound):
        await place.answer(place.ben, question)
    await place.chat.transcripts.tick()
    assert [event.granted for event in recorder.of_type(TranscriptEnded)] == [False]


async def test_who_comes_in_meanwhile_has_to_agree_too(place: Place) -> None:
    await place.enter(place.ann, place.ben)
    question = await place.ask(place.ann)
    await place.enter(place.mira)
    await place.answer(place.ben, question)
    with pytest.raises(NotFound):
        await place.save(place.ann, question)
    await place.answer(place.mira, question)
    assert await place.save(place.ann, question) == []


async def test_who_hides_being_here_has_to_agree_too(place: Place) -> None:
    for visitor in (place.ben, place.mira):
        await place.chat.preferences.change(visitor.id, shows_presence=False)
    await place.enter(place.ann, place.ben)
    question = await place.ask(place.ann)
    await place.enter(place.mira)
    await place.chat.transcripts.tick()
    await place.close(place.mira)
    await place.answer(place.ben, question)
    with pytest.raises(NotFound):
        await place.save(place.ann, question)
    await place.answer(place.mira, question)
    assert await place.save(place.ann, question) == []


async def test_who_goes_without_an_answer_has_not_agreed(place: Place) -> None:
    await place.enter(place.ann, place.ben, place.mira)
    question = await place.ask(place.ann)
    await place.close(place.mira)
    await place.chat.memberships.leave(place.room.id, visitor_id=place.mira.id)
    await place.answer(place.ben, question)
    with pytest.raises(NotFound):
        await place.save(place.ann, question)


@pytest.mark.parametrize("end", ["leave", "forget", "lost events", "burn"])
async def test_question_ends_without_who_asked_or_events_or_the_room(
    place: Place, end: str
) -> None:
    await place.enter(place.ben, place.mira)
    question = await place.ask(place.ben)
    if end == "leave":
        await place.chat.memberships.leave(place.room.id, visitor_id=place.ben.id)
    elif end == "forget":
        await place.chat.identity.forget(place.ben.id)
    elif end == "lost events":
        await place.chat.bus.publish_local(EventsLost())
    else:
        await place.chat.room_deletion.burn(place.room.id, visitor_id=place.ann.id)
    assert place.chat.transcripts.find_question(place.room.id) is None
    assert not place.chat.transcripts._polls
    with pytest.raises((NotFound, NotAMember)):
        await place.answer(place.mira, question)


async def test_answers_of_others_and_to_others_do_not_count(place: Place) -> None:
    await place.enter(place.ann, place.ben)
    zoe = await sign_in(place.chat, "Zoe")
    other = await place.chat.rooms.open("other", visitor_id=zoe.id)
    question = await place.ask(place.ann)
    with pytest.raises(NotAMember):
        await place.answer(zoe, question)
    with pytest.raises(NotFound):
        await place.chat.transcripts.answer(
            other.id, visitor_id=zoe.id, question_id=question.id, agrees=False
        )
    await place.answer(place.ann, question)  # once more, for nobody else
    with pytest.raises(NotFound):
        await place.save(place.ann, question)
    await place.answer(place.ben, question)
    await place.chat.memberships.join(place.room.id, visitor_id=zoe.id)
    with pytest.raises(NotFound):  # of another room
        await place.chat.transcripts.save(
            other, visitor_id=zoe.id, question_id=question.id, format="json"
        )


async def test_room_has_one_question_at_a_time_and_a_visitor_a_few(tmp_path: Path) -> None:
    clock = FakeClock()
    async with running_chat(tmp_path, clock, transcripts_per_visitor="2/10m") as chat:
        room, (ann, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
        place = Place(chat, clock, room, ann, ben, ben)
        await place.enter(ann, ben)
        question = await place.ask(ann)
        with pytest.raises(LimitReached, match="already"):
            await place.ask(ben)
        await place.answer(ben, question, agrees=False)
        await place.answer(ben, await place.ask(ann), agrees=False)
        with pytest.raises(RateLimited):
            await place.ask(ann)


async def test_nothing_of_a_question_is_written(tmp_path: Path) -> None:
    async with running_chat(tmp_path, FakeClock()) as chat:
        room, (ann, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
        place = Place(chat, FakeClock(), room, ann, ben, ben)
        await place.enter(ann, ben)
        question = await place.ask(ann)
        await place.answer(ben, question)
        await place.save_own(ann)
    assert question.id.encode() not in read_all_bytes(tmp_path)
