"""Seeds a database with a conversation's members and the attacker's visitors."""

from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.attacks.conversation import Person
from benchmarks.attacks.scene import Scene
from benchmarks.database_seeder import seeding

PLUGIN = Path(__file__).with_name("plugin.py")
"""The plugin that a server under attack loads."""

_PUBLIC_ROOMS = 200
_OWN_ROOMS = 50
_LONG_MESSAGES = 200
_LONG_TEXT = "long " * 790
_OWN_MESSAGES = 2_000
_ATTACKERS = 8
_CONNECTIONS = 24


@dataclass(frozen=True, slots=True)
class Site:
    """The visitors of a seeded database: the attacker's (in `scene`), one who is not a member of
    their rooms (`non_member`), and people who talk. `scene` has no URL and no address yet."""

    scene: Scene
    non_member: str
    people: list[Person]

    def for_server(
        self, url: str, *, address: str = "127.0.0.2", browser: int = _CONNECTIONS
    ) -> Scene:
        """Return the scene for a running server."""
        return replace(self.scene, url=url, address=address, browser=browser)


async def fill_site(
    data: Path, *, rooms: int, screens: int, own_messages: int = _OWN_MESSAGES
) -> Site:
    """Seed the data folder of a stopped server, with `own_messages` in `own_room`."""
    async with seeding(data) as seeder:
        attackers = await seeder.add_visitors(_ATTACKERS)
        (non_member,) = await seeder.add_visitors(1)
        full, own, *others = await seeder.add_rooms(2 + _PUBLIC_ROOMS)
        lively = others[:rooms]
        people = [(room, await seeder.add_visitors(screens + 1)) for room in lively]
        # before the messages, so that all are unread
        await seeder.add_members([(full, guest) for guest in attackers])
        await seeder.add_messages([full], attackers, _LONG_MESSAGES, text=_LONG_TEXT)
        await seeder.add_messages([own], attackers, own_messages)
        joined = [own, lively[0], *others[rooms : rooms + _OWN_ROOMS]]
        await seeder.add_members([(room, guest) for room in joined for guest in attackers])
        await seeder.add_members([(room, guest) for room, guests in people for guest in guests])
    return Site(
        Scene(
            url="",
            address="",
            tokens=tuple(guest.token for guest in attackers),
            full_room=seeder.room_name(full.id),
            own_room=seeder.room_name(own.id),
            lively_room=seeder.room_name(lively[0].id),
            browser=_CONNECTIONS,
        ),
        non_member.token,
        [
            Person(seeder.room_name(room.id), guest.token, has_screen=number < screens)
            for room, guests in people
            for number, guest in enumerate(guests)
        ],
    )
