"""All ways in; what has none is an error."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from tests.benchmarks.attacks import calls, events, readers, transport, web
from tests.benchmarks.attacks.client import Client
from tests.benchmarks.attacks.page import Page
from tests.benchmarks.attacks.scene import Scene
from tests.benchmarks.attacks.way import Act, Prepare, Way

_METHODS = ("get", "put", "post", "patch", "delete")
_PAGES_IN_MIX = 2
_HELD_MOST = 1_500

WAYS: dict[str, Way] = {
    way.name: way for way in (*transport.WAYS, *web.WAYS, *events.WAYS, *calls.WAYS, *readers.WAYS)
}


def _mix(ways: Sequence[Way]) -> Prepare:
    """Do all of these in turn."""

    async def prepare(client: Client, scene: Scene) -> Act:
        sparing = replace(scene, browser=_PAGES_IN_MIX)
        acts = [await way.prepare(client, sparing) for way in ways]

        async def act(number: int) -> None:
            turn, which = divmod(number, len(acts))
            await acts[which](turn)

        return act

    return prepare


def family_of(way: Way) -> str:
    """Return what the name of a way begins with."""
    return way.name.partition(":")[0]


MIXES: dict[str, Way] = {
    family: Way(f"{family}: all at once", _mix([*ways]), held=_HELD_MOST)
    for family, ways in groupby(WAYS.values(), family_of)
}


def find_way(name: str) -> Way:
    """Return the way of that name, or the mix of a family; raise `KeyError` if there is none."""
    mixes = {mix.name: mix for mix in MIXES.values()}
    return (WAYS | mixes)[name]


def find_ways(part: str) -> list[Way]:
    """Return the ways whose name contains any of these words, which commas separate."""
    words = [word.strip() for word in part.split(",")]
    found = [way for way in WAYS.values() if any(word in way.name for word in words)]
    if not found:
        raise ValueError(f"no way in is called {part!r}; there are: {', '.join(WAYS)}")
    return found


async def check_coverage(scene: Scene, stranger: str) -> None:
    """Raise `RuntimeError` if a page listens to an event, or the API has a route, without a flood.

    `stranger` is the token of one who is not in the full room.
    """
    async with Client(scene.url, "127.0.0.3") as client:
        wanted = await _routes(client) | await _events(client, scene, stranger)
    missing = wanted - {each for way in WAYS.values() for each in way.covers}
    if missing:
        raise RuntimeError(
            f"nothing floods {_name(missing)}: add a way to tests/benchmarks/attacks"
        )


async def _routes(client: Client) -> set[tuple[str, str]]:
    description = json.loads(await client.ask("GET", "/api/v1/openapi.json"))
    return {
        (method.upper(), path)
        for path, item in description["paths"].items()
        for method in item
        if method in _METHODS
    }


async def _events(client: Client, scene: Scene, stranger: str) -> set[tuple[str, str]]:
    room, member = f"/r/{scene.full_room}", scene.token(0)
    pages = [
        Page(client, "/login"),
        Page(client, "/privacy"),
        Page(client, "/", member),
        Page(client, room, member),
        Page(client, room, stranger),
    ]
    for page in pages:
        await page.load()
    return {event for page in pages for event in page.events}


def _name(missing: Iterable[tuple[str, str]]) -> str:
    return ", ".join(" ".join(each) for each in sorted(missing))
