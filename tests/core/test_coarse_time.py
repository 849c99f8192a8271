"""Times that nobody needs exactly are stored to the minute."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from anonchat import Chat
from anonchat.coarse_time import minute_after, minute_before
from models import MemberRow, TokenRow, TombstoneRow, VisitorRow
from tests.fakes import FakeClock, say

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_moment_lies_between_the_two_minutes_around_it() -> None:
    later = NOON + timedelta(seconds=17, microseconds=250)
    assert (minute_before(later), minute_after(later)) == (NOON, NOON + MINUTE)
    assert minute_before(NOON) == minute_after(NOON) == NOON


@pytest.mark.usefixtures("either_place")
async def test_what_people_do_is_dated_to_the_minute(chat: Chat, clock: FakeClock) -> None:
    phrase = "correct horse battery"
    clock.move(timedelta(seconds=17, microseconds=250))
    ann, token = await chat.identity.come_in("Ann", phrase=phrase)
    await chat.identity.come_in("Ann", phrase=phrase)
    await chat.identity.recognise(token)
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    bob, _ = await chat.identity.come_in("Bob")
    await chat.memberships.join(room.id, visitor_id=bob.id)
    await say(chat, room, ann, "one")
    await say(chat, room, bob, "two")
    (message, _) = await chat.messages.history(room.id, visitor_id=ann.id, limit=9)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    async with chat._database.reading() as session:
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
    assert {moment.replace(second=0, microsecond=0) for moment in moments} == moments
    assert all(visitor.expires_at >= clock() + chat.settings.visitor_ttl for visitor in visitors)
    # The microseconds of a token tell the order of those of one visitor, and no time.
    assert sorted(token.created_at for token in tokens) == [
        NOON,
        NOON,
        NOON + timedelta(microseconds=1),
    ]
