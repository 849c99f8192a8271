"""All attacks, and the check that every event and route has one."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from benchmarks.attacks import calls, events, readers, transport, web
from benchmarks.attacks.client import Client
from benchmarks.attacks.page import Page
from benchmarks.attacks.scene import Scene
from benchmarks.attacks.way import Act, Prepare, Way

_METHODS = ("get", "put", "post", "patch", "delete")
_PAGES_IN_MIX = 2
_MAX_HELD = 1_500
FORM_ROUTES = {
    ("POST", "/session"),
    ("DELETE", "/session"),
    ("POST", "/pass"),
    ("POST", "/lite"),
    ("POST", "/lite/{slug}"),
    ("POST", "/lite/{slug}/join"),
    ("POST", "/lite/{slug}/leave"),
    ("POST", "/lite/{slug}/opening"),
}
"""The routes of the pages that change something; unlike those of the API, none lists them."""

WAYS: dict[str, Way] = {
    way.name: way for way in (*transport.WAYS, *web.WAYS, *events.WAYS, *calls.WAYS, *readers.WAYS)
}


def _mix(ways: Sequence[Way]) -> Prepare:
    """Return an attack that does all of these in turn."""

    async def prepare(client: Client, scene: Scene) -> Act:
        smaller = replace(scene, browser=_PAGES_IN_MIX)
        acts = [await way.prepare(client, smaller) for way in ways]

        async def act(number: int) -> None:
            turn, which = divmod(number, len(acts))
            await acts[which](turn)

        return act

    return prepare


def attack_family(way: Way) -> str:
    """Return the first part of an attack's name."""
    return way.name.partition(":")[0]


MIXES: dict[str, Way] = {
    family: Way(f"{family}: all at once", _mix([*ways]), held=_MAX_HELD)
    for family, ways in groupby(WAYS.values(), attack_family)
}


def find_way(name: str) -> Way:
    """Return the attack or mix of that name; raise `KeyError` if there is none."""
    mixes = {mix.name: mix for mix in MIXES.values()}
    return (WAYS | mixes)[name]


def find_ways(part: str) -> list[Way]:
    """Return the attacks whose name contains any of these words, separated by commas."""
    words = [word.strip() for word in part.split(",")]
    found = [way for way in WAYS.values() if any(word in way.name for word in words)]
    if not found:
        raise ValueError(f"no attack is named {part!r}; there are: {', '.join(WAYS)}")
    return found


async def check_coverage(scene: Scene, non_member: str) -> None:
    """Raise `RuntimeError` if an event of a page, a route of a form or of the API has no attack.

    `non_member` is the token of a visitor who is not a member of the full room.
    """
    async with Client(scene.url, "127.0.0.3") as client:
        wanted = FORM_ROUTES | await _routes(client) | await _events(client, scene, non_member)
    missing = wanted - {each for way in WAYS.values() for each in way.covers}
    if missing:
        raise RuntimeError(
            f"no attack covers {_join_names(missing)}: add one to benchmarks/attacks"
        )


async def _routes(client: Client) -> set[tuple[str, str]]:
    description = json.loads(await client.ask("GET", "/api/v1/openapi.json"))
    return {
        (method.upper(), path)
        for path, item in description["paths"].items()
        for method in item
        if method in _METHODS
    }


async def _events(client: Client, scene: Scene, non_member: str) -> set[tuple[str, str]]:
    room, member = f"/r/{scene.full_room}", scene.token(0)
    pages = [
        Page(client, "/login"),
        Page(client, "/privacy"),
        Page(client, "/", member),
        Page(client, room, member),
        Page(client, room, non_member),
    ]
    for page in pages:
        await page.load()
    return {event for page in pages for event in page.events}


def _join_names(missing: Iterable[tuple[str, str]]) -> str:
    return ", ".join(" ".join(each) for each in sorted(missing))
