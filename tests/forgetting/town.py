"""A small town whose every word is a canary, and what becomes of it."""

from dataclasses import dataclass, field
from datetime import timedelta

from anonchat import Chat, Message, Room, Visitor
from tests.forgetting.canaries import canary

HOUR = timedelta(hours=1)


@dataclass
class Town:
    """Two people in a room of hours and a room of minutes, and what they have said."""

    ann: Visitor
    ben: Visitor
    long: Room
    short: Room
    canaries: list[str] = field(default_factory=list)
    said: dict[str, Message] = field(default_factory=dict)

    async def says(self, chat: Chat, room: Room, who: Visitor, word: str) -> None:
        """Let somebody say something, known by `word` from then on."""
        self.canaries.append(text := canary(f"text {word}"))
        self.said[word] = await chat.messages.post(
            room.id, visitor_id=who.id, text=text, dedup_id=word
        )

    def text(self, word: str) -> str:
        """Return what was said."""
        return self.said[word].text


async def settle(chat: Chat) -> Town:
    """Let people come in, open rooms, and talk."""
    names = {name: canary(name)[:24] for name in ("ann", "ben")}
    phrase = canary("phrase")
    people, tokens = {}, []
    for name, nickname in names.items():
        _, token = await chat.identity.come_in(nickname, phrase=phrase)
        people[name] = await chat.identity.recognise(token)
        tokens.append(token)
    titles = {name: canary(name) for name in ("long", "short", "topic")}
    ann, ben = people["ann"], people["ben"]
    assert ann
    assert ben
    long = await chat.rooms.create(
        titles["long"], visitor_id=ann.id, topic=titles["topic"], message_ttl=5 * HOUR
    )
    short = await chat.rooms.create(
        titles["short"], visitor_id=ann.id, listed=False, message_ttl=timedelta(minutes=10)
    )
    town = Town(ann, ben, long, short)
    town.canaries += [*names.values(), phrase, *tokens, *titles.values(), ann.badge]
    town.canaries += [long.slug, short.slug]
    for room, kind in ((long, "long"), (short, "short")):
        await chat.memberships.join(room.id, visitor_id=ben.id)
        for who, name in ((ann, "ann"), (ben, "ben")):
            for number in range(2):
                await town.says(chat, room, who, f"{name}-{number}-{kind}")
    await chat.messages.finish()
    return town
