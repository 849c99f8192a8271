"""Pseudonyms of members, and the colours that follow from them."""

from collections import Counter

import pytest

from anonchat import COLORS, Chat, Member, Room, Visitor, color_of
from tests.fakes import create_room_with_members, post_messages, sign_in

pytestmark = pytest.mark.usefixtures("either_place")


async def test_members_have_different_colours_as_far_as_there_are_colours(chat: Chat) -> None:
    nicknames = [f"Member {number}" for number in range(2 * COLORS)]
    room, visitors = await create_room_with_members(chat, "night train", *nicknames)
    members = [await _member(chat, room, visitor) for visitor in visitors]
    colors = [color_of(member.author) for member in members]
    assert len(set(colors[:COLORS])) == COLORS
    assert set(Counter(colors).values()) == {2}
    assert len({member.author for member in members}) == len(members)


async def test_newcomer_gets_the_colour_that_a_leaving_member_has_freed(chat: Chat) -> None:
    nicknames = [f"Member {number}" for number in range(COLORS)]
    room, visitors = await create_room_with_members(chat, "night train", *nicknames)
    left = await _member(chat, room, visitors[3])
    await chat.memberships.leave(room.id, visitor_id=left.visitor_id)
    newcomer = await sign_in(chat, "Newcomer")
    joined = await chat.memberships.join(room.id, visitor_id=newcomer.id)
    assert color_of(joined.author) == color_of(left.author)
    assert joined.author != left.author


async def test_returning_member_has_the_pseudonym_of_earlier_messages(chat: Chat) -> None:
    nicknames = [f"Member {number}" for number in range(COLORS)]
    room, visitors = await create_room_with_members(chat, "night train", *nicknames)
    before = await _member(chat, room, visitors[-1])
    await post_messages(chat, room, visitors[-1], "hello")
    for visitor in visitors[1:]:  # other colours are free then
        await chat.memberships.leave(room.id, visitor_id=visitor.id)
    after = await chat.memberships.join(room.id, visitor_id=visitors[-1].id)
    assert after.author == before.author
    (message,) = await chat.messages.history(room.id, visitor_id=visitors[0].id, limit=10)
    assert message.author == after.author


async def test_returning_owner_has_the_same_pseudonym(chat: Chat) -> None:
    room, (owner, _) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await chat.memberships.leave(room.id, visitor_id=owner.id)
    for number in range(COLORS):
        await chat.memberships.join(room.id, visitor_id=(await sign_in(chat, f"N {number}")).id)
    back = await chat.memberships.join(room.id, visitor_id=owner.id)
    assert back.author == room.owner


async def _member(chat: Chat, room: Room, visitor: Visitor) -> Member:
    return await chat.memberships.require(room.id, visitor_id=visitor.id)
