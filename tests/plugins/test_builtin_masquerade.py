"""Masks."""

import pytest
from pydantic import JsonValue

from anonchat import NotAllowed
from anonchat.events import RoomStateChanged
from anonchat.plugins import Message, Refused
from anonchat.plugins.builtin import chatting, masquerade
from anonchat.plugins.testing import Person, TestChat, chat_with
from tests.fakes import EventRecorder


async def _names(person: Person, room: object) -> list[str]:
    return [each.nickname for each in await person.read(room)]  # type: ignore[arg-type]


async def _speak(chat: TestChat, room: object, *people: Person) -> list[str]:
    """Let people speak; return the names that are shown."""
    for person in people:
        await person.say(room, "hello")  # type: ignore[arg-type]
    return (await _names(people[0], room))[-len(people) :]


async def test_everybody_keeps_one_mask_for_a_round() -> None:
    async with chat_with(masquerade.plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        assert await _speak(chat, room, ann, bob) == ["Ann", "Bob"]
        said = await ann.say(room, "/masks on 5m")
        assert isinstance(said, Message) and said.nickname == "Ann"
        first = await _speak(chat, room, ann, bob)
        assert len({*first, "Ann", "Bob"}) == 4
        await chat.advance("4m")
        assert await _speak(chat, room, ann, bob) == first


async def test_state_is_changed_only_to_deal_a_mask() -> None:
    async with chat_with(masquerade.plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        events = EventRecorder(chat.host.chat)
        await _speak(chat, room, ann, bob)
        assert not events.of_type(RoomStateChanged)
        await ann.say(room, "/masks on 5m")
        await _speak(chat, room, ann, bob, ann, bob, ann)
        assert len(events.of_type(RoomStateChanged)) == 3


async def test_masks_are_dealt_anew_after_their_time() -> None:
    async with chat_with(masquerade.plugin) as chat:
        people = [await chat.enter(f"Guest {number}") for number in range(6)]
        room = await chat.open_room("tea", *people)
        await people[0].say(room, "/masks on 5m")
        first = await _speak(chat, room, *people)
        await chat.advance("5m")
        second = await _speak(chat, room, *people)
        assert len({*first}) == len({*second}) == 6
        assert first != second


async def test_masks_go_off() -> None:
    async with chat_with(masquerade.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        await ann.say(room, "/masks on")
        await ann.say(room, "/masks off")
        assert await _speak(chat, room, ann) == ["Ann"]
        assert await chat.state(masquerade.plugin, room).items() == {}


async def test_mask_is_worn_by_actions_and_hides_the_badge() -> None:
    async with chat_with(masquerade.plugin, chatting.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        await ann.say(room, "/masks on")
        await ann.say(room, "/me waves")
        message = (await ann.read(room))[-1]
        assert message.nickname != "Ann" and message.badge == ""
        assert "Ann" not in str(chat.host.drawer.draw(message))


async def test_masks_are_named_in_the_language_of_the_owner() -> None:
    async with chat_with(masquerade.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        await ann.say(room, "/masks on", language="ru")
        (name,) = await _speak(chat, room, ann)
        assert all("а" <= letter <= "я" or letter in "ё " for letter in name.lower())


@pytest.mark.parametrize(
    ("animals", "worn"),
    [(["Fox"], {"Red Fox"}), (["Fox", "Owl", "Elk"], {"Red Fox", "Red Owl", "Red Elk"})],
)
async def test_no_mask_is_worn_twice_while_there_are_others(
    animals: list[JsonValue], worn: set[str]
) -> None:
    async with chat_with(masquerade.plugin) as chat:
        people = [await chat.enter(name) for name in ("Ann", "Bob", "Cid")]
        room = await chat.open_room("tea", *people)
        await people[0].say(room, "/masks on")

        def keep_few(values: dict[str, JsonValue]) -> None:
            masks = values["masks"]
            assert isinstance(masks, dict)
            masks.update(colours=["Red"], animals=animals)

        await chat.state(masquerade.plugin, room).change(keep_few)
        assert {*await _speak(chat, room, *people)} == worn


async def test_only_the_owner_deals_masks() -> None:
    async with chat_with(masquerade.plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        with pytest.raises(NotAllowed):
            await bob.say(room, "/masks on")


async def test_masks_are_on_or_off() -> None:
    async with chat_with(masquerade.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(Refused, match="/masks <switch> "):
            await ann.say(room, "/masks perhaps")
