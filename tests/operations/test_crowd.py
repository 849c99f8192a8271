"""Many visitors behind one IP address, as in an office or a school, with the default limits.

They sign in at the same time, and no request is refused or needs a challenge.
"""

import asyncio
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from benchmarks.attacks.client import Client
from benchmarks.attacks.page import Page
from benchmarks.server import limited_anonchat
from tests.pages.tab import wait_until
from tests.timeouts import DEADLINE

_PEOPLE = 60
_POSTS = 200
_ROOM = "night train"
_SYNC = {"question": 1, "keys": [], "older": False, "beyond": ""}
_ASSET = re.compile(r'(?:src|href)="(/(?:_nicegui|assets)/[^"]+)"')


class _Person:
    """A visitor with a browser whose cache is empty."""

    def __init__(self, client: Client, number: int) -> None:
        self._client = client
        self._number = number
        self.received: set[str] = set()
        self.accepted: set[str] = set()
        self.refused: list[object] = []

    async def sign_in(self) -> None:
        login = Page(self._client, "/login")
        await self._load_assets(login)
        await login.open()
        url = self._client.url
        own, form = {"Origin": url}, {"nickname": f"Guest no. {self._number}"}
        # A new connection: on a slow machine the server may just have closed an idle one.
        async with self._client.sockets.post(f"{url}/session", json=form, headers=own) as answer:
            assert answer.status == 204, await answer.text()
            self._token = answer.cookies["anonchat"].value
        await login.close()
        self.refused += [login.refusals] * bool(login.refusals)

    async def open_room(self) -> None:
        self.room = room = Page(self._client, "/", self._token)
        room.on_feed, room.on_call = self._on_feed, self._on_call
        await room.open()
        await room.emit("nicegui-room_search", "open", _ROOM)
        await room.wait_for("messages")
        await room.emit("nicegui-sub_page", "shown", {})

    async def say(self, text: str) -> None:
        await self.room.emit("nicegui-composer", "post", {"text": text, "dedup": text})

    async def _load_assets(self, page: Page) -> None:
        html = (await self._client.ask("GET", page.path)).decode()
        await asyncio.gather(*(self._client.ask("GET", path) for path in set(_ASSET.findall(html))))

    def _on_feed(self, packet: dict[str, Any]) -> None:
        self.received |= {row for row in re.findall(r"said-\w{32}", str(packet))}

    async def _on_call(self, part: str, method: str, arguments: list[Any]) -> None:
        if (part, method) == ("nicegui-composer", "accept"):
            self.accepted.add(arguments[0])
        elif (part, method) == ("messages", "sync"):
            await self.room.emit("messages", "sync", _SYNC, wait=False)
        elif (part, method) == ("messages", "catchUp"):
            self._on_feed(arguments[0])
        elif method == "reject":
            self.refused.append(arguments)


@pytest.mark.parametrize(
    "has_other_client", [False, True], ids=["no other client", "another client"]
)
async def test_sixty_visitors_behind_one_address_sign_in_and_talk(
    tmp_path: Path, has_other_client: bool
) -> None:
    texts = [f"said-{uuid4().hex}" for _ in range(_POSTS)]
    async with (
        limited_anonchat(tmp_path / "data") as server,
        Client(server.url, timeout_seconds=DEADLINE) as client,
        Client(server.url, "127.0.0.2", timeout_seconds=DEADLINE) as reader,
        asyncio.TaskGroup() as tasks,
    ):
        if has_other_client:
            loading = tasks.create_task(_keep_loading(reader))
        people = [_Person(client, number) for number in range(_PEOPLE)]

        def is_delivered() -> bool:
            accepted = set().union(*(person.accepted for person in people))
            return accepted == {*texts} and all(person.received == accepted for person in people)

        await asyncio.gather(*(person.sign_in() for person in people))
        await asyncio.gather(*(person.open_room() for person in people))
        await asyncio.gather(
            *(people[number % _PEOPLE].say(text) for number, text in enumerate(texts))
        )
        await wait_until(lambda: any(person.refused for person in people) or is_delivered())
        assert [person.refused for person in people if person.refused] == []
        if has_other_client:
            loading.cancel()


async def _keep_loading(client: Client) -> None:
    while True:
        await client.ask("GET", "/login")
