"""A small site in which every text is a canary."""

from dataclasses import dataclass, field
from datetime import timedelta

from anonchat import Chat, Message, Post, Room, Visitor
from tests.forgetting.canaries import canary

HOUR = timedelta(hours=1)


@dataclass
class CanarySite:
    """Two visitors, a room with a long and one with a short `message_ttl`, and the messages."""

    ann: Visitor
    ben: Visitor
    long: Room
    short: Room
    canaries: list[str] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)  # by "long" and "short"

    async def post(self, chat: Chat, room: Room, who: Visitor, word: str) -> None:
        """Post a message, stored in `messages` under `word`."""
        post = Post(canary(f"text {word}"), kind="note", data=canary(f"data {word}"))
        self.canaries += [post.text, str(post.data)]
        self.messages[word] = await chat.messages.post(
            room.id, visitor_id=who.id, post=post, dedup_id=word
        )

    async def keep(self, chat: Chat, room: Room, text: str) -> None:
        """Keep a text in the room for a plugin."""
        self.canaries.append(text)
        await chat.room_states.change(room.id, "poll", lambda state: state.update(text=text))

    def text(self, word: str) -> str:
        """Return the text of a message."""
        return self.messages[word].text


async def populate(chat: Chat) -> CanarySite:
    """Sign visitors in, create rooms and post messages."""
    names = {name: canary(name)[:24] for name in ("ann", "ben")}
    phrase = canary("phrase")
    people, tokens = {}, []
    for name, nickname in names.items():
        _, token = await chat.identity.sign_in(nickname, phrase=phrase)
        people[name] = await chat.identity.authenticate(token)
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
    site = CanarySite(ann, ben, long, short)
    site.canaries += [*names.values(), phrase, *tokens, *titles.values(), ann.badge]
    site.canaries += [long.slug, short.slug]
    for room, kind in ((long, "long"), (short, "short")):
        await chat.memberships.join(room.id, visitor_id=ben.id)
        for who, name in ((ann, "ann"), (ben, "ben")):
            for number in range(2):
                await site.post(chat, room, who, f"{name}-{number}-{kind}")
    await chat.messages.flush()
    for room, kind in ((long, "long"), (short, "short")):
        site.states[kind] = canary(f"state {kind}")
        await site.keep(chat, room, site.states[kind])
    return site
