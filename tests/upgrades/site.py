"""A small site with all kinds of rows, and a description of its readable content."""

from datetime import timedelta
from typing import Any

from anonchat import Chat, MessageExpired
from tests.fakes import FakeClock

SECRET = "of a site that was left"
_MONTH = timedelta(days=30)


async def populate(chat: Chat, clock: FakeClock) -> dict[str, Any]:
    """Create visitors, rooms and messages, delete some; return what `describe` needs."""
    ann, token = await chat.identity.sign_in("Ann", phrase="correct horse battery")
    ben, ben_token = await chat.identity.sign_in("Бен")
    for each in (token, ben_token):
        await chat.identity.authenticate(each)
    train = await chat.rooms.create(
        "Night train", visitor_id=ann.id, message_ttl=_MONTH, room_ttl=_MONTH, topic="to Lviv"
    )
    attic = await chat.rooms.create("attic", visitor_id=ben.id, listed=False, room_ttl=_MONTH)
    await chat.memberships.join(train.id, visitor_id=ben.id)
    messages = []
    for number in range(12):
        who = (ann, ben)[number % 2]
        messages.append(
            await chat.messages.post(
                train.id, visitor_id=who.id, text=f"said {number} 🚂", dedup_id=f"d{number}"
            )
        )
    await chat.messages.post(attic.id, visitor_id=ben.id, text="alone")
    await chat.messages.delete(train.id, visitor_id=ann.id, message_id=messages[4].id)
    await chat.memberships.mark_read(train.id, visitor_id=ann.id, seq=7)
    await chat.identity.sign_in("Cleo")
    clock.advance(timedelta(minutes=11))  # Cleo never connected, and is purged
    await chat.janitor.run_purge()
    return {"tokens": [token, ben_token], "train": train.id, "deleted": [ann.id, "d4"]}


async def describe(chat: Chat, saved: dict[str, Any]) -> dict[str, Any]:
    """Return all readable content, and whether a deleted message can be posted again."""
    people = []
    for token in saved["tokens"]:
        visitor = await chat.identity.authenticate(token)
        assert visitor
        rooms = []
        for membership in await chat.memberships.list_of_visitor(visitor.id):
            history = await chat.messages.history(
                membership.room.id, visitor_id=visitor.id, after=0, limit=200
            )
            rooms.append(
                {
                    "name": [
                        membership.room.name,
                        membership.room.topic,
                        membership.room.slug,
                        membership.room.listed,
                    ],
                    "ends": membership.room.expires_at.isoformat(),
                    "unread": membership.unread,
                    "read": membership.member.read_seq,
                    "said": [
                        [m.seq, m.nickname, m.badge, m.text, m.dedup_id, m.expires_at.isoformat()]
                        for m in history
                    ],
                }
            )
        rooms.sort(key=lambda room: room["name"])  # rooms with equal activity have no defined order
        people.append({"name": [visitor.id, visitor.nickname, visitor.badge], "rooms": rooms})
    stats = chat.purge_stats.stats
    assert stats
    return {
        "people": people,
        "gone": [stats.messages, stats.rooms, stats.visitors],
        "taken back": await _is_still_deleted(chat, saved),
    }


async def _is_still_deleted(chat: Chat, saved: dict[str, Any]) -> bool:
    visitor_id, dedup_id = saved["deleted"]
    try:
        await chat.messages.post(
            saved["train"], visitor_id=visitor_id, text="again", dedup_id=dedup_id
        )
    except MessageExpired:
        return True
    return False
