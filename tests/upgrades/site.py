"""A small site with something of everything, and all that can be read in it."""

from datetime import timedelta
from typing import Any

from anonchat import Chat, MessageExpired
from tests.fakes import FakeClock

SECRET = "of a site that was left"
_MONTH = timedelta(days=30)


async def settle(chat: Chat, clock: FakeClock) -> dict[str, Any]:
    """Let people come, talk, take back and leave; return what is needed to come back."""
    ann, token = await chat.identity.come_in("Ann", phrase="correct horse battery")
    ben, other = await chat.identity.come_in("Бен")
    for each in (token, other):
        await chat.identity.recognise(each)
    train = await chat.rooms.create(
        "Night train", visitor_id=ann.id, message_ttl=_MONTH, room_ttl=_MONTH, topic="to Lviv"
    )
    attic = await chat.rooms.create("attic", visitor_id=ben.id, listed=False, room_ttl=_MONTH)
    await chat.memberships.join(train.id, visitor_id=ben.id)
    said = []
    for number in range(12):
        who = (ann, ben)[number % 2]
        said.append(
            await chat.messages.post(
                train.id, visitor_id=who.id, text=f"said {number} 🚂", dedup_id=f"d{number}"
            )
        )
    await chat.messages.post(attic.id, visitor_id=ben.id, text="alone")
    await chat.messages.delete(train.id, visitor_id=ann.id, message_id=said[4].id)
    await chat.memberships.mark_read(train.id, visitor_id=ann.id, seq=7)
    await chat.identity.come_in("Cleo")
    clock.move(timedelta(minutes=11))  # she never came, and is purged
    await chat.janitor.clean()
    return {"tokens": [token, other], "train": train.id, "deleted": [ann.id, "d4"]}


async def describe(chat: Chat, keepsake: dict[str, Any]) -> dict[str, Any]:
    """Return all that can be read, and whether what was taken back stays so."""
    people = []
    for token in keepsake["tokens"]:
        visitor = await chat.identity.recognise(token)
        assert visitor
        rooms = []
        for mine in await chat.memberships.list_mine(visitor.id):
            history = await chat.messages.history(
                mine.room.id, visitor_id=visitor.id, after=0, limit=200
            )
            rooms.append(
                {
                    "name": [mine.room.name, mine.room.topic, mine.room.slug, mine.room.listed],
                    "ends": mine.room.expires_at.isoformat(),
                    "unread": mine.unread,
                    "read": mine.member.read_seq,
                    "said": [
                        [m.seq, m.nickname, m.badge, m.text, m.dedup_id, m.expires_at.isoformat()]
                        for m in history
                    ],
                }
            )
        rooms.sort(key=lambda room: room["name"])  # two may be as lively as each other
        people.append({"name": [visitor.id, visitor.nickname, visitor.badge], "rooms": rooms})
    tally = chat.ledger.tally
    assert tally
    return {
        "people": people,
        "gone": [tally.messages, tally.rooms, tally.visitors],
        "taken back": await _is_taken_back(chat, keepsake),
    }


async def _is_taken_back(chat: Chat, keepsake: dict[str, Any]) -> bool:
    visitor_id, dedup_id = keepsake["deleted"]
    try:
        await chat.messages.post(
            keepsake["train"], visitor_id=visitor_id, text="again", dedup_id=dedup_id
        )
    except MessageExpired:
        return True
    return False
