"""Attacks by clients that request much and do not read the responses."""

from benchmarks.attacks.client import Client
from benchmarks.attacks.page import Page
from benchmarks.attacks.scene import Scene
from benchmarks.attacks.way import Act, Prepare, Way

_HELD = 300


def _unread(path: str, *, times: int = 1) -> Prepare:
    """Request a path `times` times on each connection without reading the responses."""

    async def prepare(client: Client, scene: Scene) -> Act:
        target = path.format(full=scene.full_room, lively=scene.lively_room)

        async def act(number: int) -> None:
            _, writer = await client.connect()
            writer.transport.pause_reading()
            token = scene.token(number)
            request = (
                f"GET {target} HTTP/1.1\r\nHost: {client.host}\r\n"
                f"Authorization: Bearer {token}\r\nCookie: anonchat={token}\r\n\r\n"
            )
            writer.write(request.encode() * times)

        return act

    return prepare


async def _stall_pages(client: Client, scene: Scene) -> Act:
    async def act(number: int) -> None:
        page = Page(client, f"/r/{scene.lively_room}", scene.token(number))
        await page.open()
        page.stall()

    return act


_STREAM = "/api/v1/rooms/{full}/events?after=0"
WAYS = (
    Way(
        "reader: streams held, unread",
        _unread(_STREAM),
        allowed=("api_calls_per_ip",),
        held=_HELD,
    ),
    Way(
        "reader: streams of a lively room held, unread",
        _unread("/api/v1/rooms/{lively}/events"),
        allowed=("api_calls_per_ip",),
        held=_HELD,
    ),
    Way(
        "reader: messages asked for 20 times, unread",
        _unread("/api/v1/rooms/{full}/messages?limit=200", times=20),
        allowed=("api_calls_per_ip",),
        held=_HELD,
    ),
    Way(
        "reader: pages held, unread",
        _stall_pages,
        allowed=("page_views_per_ip",),
        held=_HELD,
    ),
)
