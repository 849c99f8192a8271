"""Timestamps that need no precision are stored to the minute."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from anonchat import Chat
from anonchat.runtime.coarse_time import ceil_to_minute, floor_to_minute
from models import MemberRow, TokenRow, TombstoneRow, VisitorRow
from tests.fakes import FakeClock, post_messages

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_time_is_rounded_down_and_up_to_the_minute() -> None:
    later = NOON + timedelta(seconds=17, microseconds=250)
    assert (floor_to_minute(later), ceil_to_minute(later)) == (NOON, NOON + MINUTE)
    assert floor_to_minute(NOON) == ceil_to_minute(NOON) == NOON


@pytest.mark.usefixtures("either_place")
async def test_stored_timestamps_are_rounded_to_the_minute(chat: Chat, clock: FakeClock) -> None:
    phrase = "correct horse battery"
    clock.advance(timedelta(seconds=17, microseconds=250))
    ann, token = await chat.identity.sign_in("Ann", phrase=phrase)
    await chat.identity.sign_in("Ann", phrase=phrase)
    await chat.identity.authenticate(token)
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    bob, _ = await chat.identity.sign_in("Bob")
    await chat.memberships.join(room.id, visitor_id=bob.id)
    await post_messages(chat, room, ann, "one")
    await post_messages(chat, room, bob, "two")
    (message, _) = await chat.messages.history(room.id, visitor_id=ann.id, limit=9)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    async with chat._database.read_session() as session:
        visitors = (await session.exec(select(VisitorRow))).all()
        members = (await session.exec(select(MemberRow))).all()
        tombstones = (await session.exec(select(TombstoneRow))).all()
        tokens = (await session.exec(select(TokenRow))).all()
    assert (len(visitors), len(members), len(tombstones), len(tokens)) == (2, 2, 1, 3)
    moments = {
        *(visitor.seen_at for visitor in visitors),
        *(visitor.expires_at for visitor in visitors),
        *(member.joined_at for member in members),
        *(tombstone.expires_at for tombstone in tombstones),
    }
    # Members who join within one minute differ by microseconds, in the order in which they came.
    assert {moment.replace(second=0) for moment in moments} == moments
    assert {moment.microsecond for moment in moments} == {0, 1}
    assert all(visitor.expires_at >= clock() + chat.settings.visitor_ttl for visitor in visitors)
    # The microseconds of a token only encode the order of its visitor's tokens.
    assert sorted(token.created_at for token in tokens) == [
        NOON,
        NOON,
        NOON + timedelta(microseconds=1),
    ]
