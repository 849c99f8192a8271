"""A site with people who talk, and visitors of the attacker."""

from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.attacks.conversation import Person
from tests.benchmarks.attacks.scene import Scene
from tests.benchmarks.town import founding

_PUBLIC_ROOMS = 200
_OWN_ROOMS = 50
_LONG_MESSAGES = 200
_LONG_TEXT = "long " * 790
_OWN_MESSAGES = 2_000
_ATTACKERS = 8
_CONNECTIONS = 24


@dataclass(frozen=True, slots=True)
class Site:
    """Who is on a site that was filled: the attacker's own visitors, a stranger to their rooms, and
    people who talk. `scene` has neither the URL nor the address yet."""

    scene: Scene
    stranger: str
    people: list[Person]

    def for_server(
        self, url: str, *, address: str = "127.0.0.2", browser: int = _CONNECTIONS
    ) -> Scene:
        """Return the scene at a server that has started."""
        return replace(self.scene, url=url, address=address, browser=browser)


async def fill_site(data: Path, *, rooms: int, screens: int, said: int = _OWN_MESSAGES) -> Site:
    """Fill the folder of a server that is not running; `said` is how much is in the own room."""
    async with founding(data) as town:
        attackers = await town.come_in(_ATTACKERS)
        (stranger,) = await town.come_in(1)
        full, own, *others = await town.open_rooms(2 + _PUBLIC_ROOMS)
        lively = others[:rooms]
        people = [(room, await town.come_in(screens + 1)) for room in lively]
        await town.join([(full, guest) for guest in attackers])  # before: all of it is unread
        await town.say([full], attackers, _LONG_MESSAGES, text=_LONG_TEXT)
        await town.say([own], attackers, said)
        joined = [own, lively[0], *others[rooms : rooms + _OWN_ROOMS]]
        await town.join([(room, guest) for room in joined for guest in attackers])
        await town.join([(room, guest) for room, guests in people for guest in guests])
    return Site(
        Scene(
            url="",
            address="",
            tokens=tuple(guest.token for guest in attackers),
            full_room=town.name(full.id),
            own_room=town.name(own.id),
            lively_room=town.name(lively[0].id),
            browser=_CONNECTIONS,
        ),
        stranger.token,
        [
            Person(town.name(room.id), guest.token, has_screen=number < screens)
            for room, guests in people
            for number, guest in enumerate(guests)
        ],
    )
