"""Masks: while they are on, everybody in the room speaks under another name, such as “Red Fox”.

The owner of a room turns them on with `/masks on 10m`, and off with `/masks off`. Each person gets
a mask when they first speak, and all masks are dealt anew every ten minutes.

What this hides: the nickname and the badge beside what is said while masks are on.
What it does not hide: who is in the room (Members shows nicknames as always); which messages belong
to the same person, for whoever compares colours or reads with a program, because the pseudonym of
a person in a room stays the same; who it is from the operator; and what a style of writing tells.
The masks of the current round are kept, encrypted with the room, until the first message of the
next.
"""

from datetime import datetime, timedelta
from random import SystemRandom
from typing import Literal

from pydantic import BaseModel, JsonValue

from anonchat.plugins import Chat, Draft, Duration, Language, Member, Plugin, Post, RoomState

plugin = Plugin("masquerade")

_SHORTEST = timedelta(minutes=1)
_random = SystemRandom()


class Masks(BaseModel):
    """The masks of one round, by `author`; they are dealt anew from `dealt_at` + `every` on."""

    every: timedelta
    dealt_at: datetime
    colours: list[str]
    animals: list[str]
    worn: dict[str, str] = {}

    def find(self, author: str, now: datetime) -> str | None:
        """Return the mask that a person wears in this round, if they have one."""
        return self.worn.get(author) if now < self.dealt_at + self.every else None

    def deal(self, author: str, now: datetime) -> str:
        """Return the mask of a person; deal them one, after a new round has begun if it is time."""
        if now >= self.dealt_at + self.every:
            self.worn, self.dealt_at = {}, now
        if author not in self.worn:
            masks = {f"{colour} {animal}" for colour in self.colours for animal in self.animals}
            free = masks.difference(self.worn.values())
            self.worn[author] = _random.choice(sorted(free or masks))
        return self.worn[author]


@plugin.command(who="owner")
async def masks(
    switch: Literal["on", "off"],
    chat: Chat,
    state: RoomState,
    language: Language,
    every: Duration = timedelta(minutes=10),
) -> Post:
    """Let everybody speak under a mask: /masks on 10m, /masks off."""
    if switch == "off":
        await state.delete("masks")
        return Post(language("The masks are off."), kind="masks")
    every = max(every, _SHORTEST)
    new = Masks(
        every=every,
        dealt_at=chat.now(),
        colours=language.words(
            "colours of masks, combined with the animals",
            "Amber,Black,Blue,Brown,Golden,Green,Grey,Orange,Pink,Purple,Red,Silver,White,Yellow",
        ),
        animals=language.words(
            "animals of masks",
            "Badger,Bear,Beaver,Crane,Crow,Deer,Dolphin,Eagle,Falcon,Fox,Goat,Hare,Hedgehog,Heron,"
            "Lion,Lynx,Mole,Moose,Otter,Owl,Panda,Raven,Seal,Swan,Tiger,Whale,Wolf,Zebra",
        ),
    )
    await state.put("masks", new.model_dump(mode="json"))
    time = language.duration(every)
    return Post(
        language("The masks are on. They are dealt anew every {time}", time=time), kind="masks"
    )


@plugin.filter
async def wear(draft: Draft, member: Member, state: RoomState, chat: Chat) -> None:
    """Put the mask of its author on a message; what turned masks on or off has none."""
    if draft.kind == "masks" or not (kept := await state.get("masks")):
        return
    now = chat.now()
    if mask := Masks.model_validate(kept).find(member.author, now):
        draft.nickname = mask
        return

    def deal(values: dict[str, JsonValue]) -> None:
        if values.get("masks"):
            masks = Masks.model_validate(values["masks"])
            draft.nickname = masks.deal(member.author, now)
            values["masks"] = masks.model_dump(mode="json")

    await state.change(deal)
