"""Reminders."""

from datetime import timedelta

import pytest

from anonchat.plugins import Refused
from anonchat.plugins.builtin import reminder
from anonchat.plugins.testing import chat_with


async def test_reminder_is_told_at_its_time_to_its_author_alone() -> None:
    async with chat_with(reminder.plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        for person in (ann, bob):
            await person.say(room, "hello")
            await person.look_at(room)
        told = await ann.say(room, "/remind 10m look into the oven")
        assert told == "You alone will be reminded here, after 10 min"
        await chat.advance("9m")
        assert ann.told(room) == []
        await chat.advance("90s")
        assert ann.told(room) == ["⏰ look into the oven"]
        await chat.advance("5m")
        assert len(ann.told(room)) == 1
        assert bob.told(room) == [] and len(await bob.read(room)) == 2


async def test_who_was_away_is_reminded_when_they_come_back() -> None:
    async with chat_with(reminder.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        await ann.say(room, "hello")
        await ann.say(room, "/remind 1m oven")
        await chat.advance("10m")
        assert ann.told(room) == []
        await ann.look_at(room)
        await chat.advance("1m")
        assert ann.told(room) == ["⏰ oven"]


@pytest.mark.parametrize(("hours", "kept"), [(23, 1), (25, 0)])
async def test_reminder_is_kept_for_a_day_for_who_is_away(hours: int, kept: int) -> None:
    async with chat_with(reminder.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        member = await ann.member(room)
        due = chat.now() - timedelta(hours=hours)
        late = reminder.Reminder(author=member.author, due=due, text="oven")
        state = chat.state(reminder.plugin, room)
        await state.put("late", late.model_dump(mode="json"))
        await chat.advance("1m")
        assert len(await state.items()) == kept


async def test_reminder_of_one_who_left_is_told_to_nobody() -> None:
    async with chat_with(reminder.plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        await bob.look_at(room)
        await bob.say(room, "/remind 1m oven")
        await bob.look_away(room)
        await bob.leave(room)
        await chat.advance("5m")
        assert chat.told == []


async def test_one_person_has_five_reminders_in_a_room_at_most() -> None:
    async with chat_with(reminder.plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        for number in range(5):
            await ann.say(room, f"/remind 10m {number}")
        with pytest.raises(Refused, match="5 reminders here already"):
            await ann.say(room, "/remind 10m more")
        await bob.say(room, "/remind 10m mine")


@pytest.mark.parametrize("line", ["/remind", "/remind 10m", "/remind soon tea", "/remind 0m tea"])
async def test_reminder_without_time_or_text_is_answered_with_the_usage(line: str) -> None:
    async with chat_with(reminder.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(Refused, match="/remind <after> <text>"):
            await ann.say(room, line)
