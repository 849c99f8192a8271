"""A site at `/chat` behind nginx: two people talk, reload, follow a link, and sign out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio
from playwright.async_api import expect

from tests.browser.world import BrowserContextPool, World
from tests.operations.proxies import DocumentedNginx
from tests.servers.server_process import ServerProcess


@dataclass
class ProxiedSite:
    """A site below a path of a proxy."""

    server: ServerProcess
    url: str
    port: int

    @property
    def log(self) -> str:
        """The log of the server."""
        return self.server.log


@pytest_asyncio.fixture(loop_scope="session")
async def world(context_pool: BrowserContextPool, tmp_path: Path) -> AsyncIterator[World]:
    """Create the users of a site at `/chat`."""
    server = ServerProcess(tmp_path / "site", trusted_proxies="127.0.0.1")
    proxy = DocumentedNginx(tmp_path / "proxy", f"127.0.0.1:{server.port}", path="/chat/")
    server.settings["base_url"] = f"{proxy.url}/chat"
    world = World(ProxiedSite(server, f"{proxy.url}/chat", proxy.port), context_pool)
    try:
        await server.start()
        await proxy.start()
        yield world
        await world.end()  # fails if a page has requested anything outside `/chat/`
    finally:
        await proxy.stop()
        await server.stop()


async def test_two_people_talk_below_a_path(world: World) -> None:
    room = world.name("night train")
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("is anybody there?")
    await mira.post_messages("me")
    for person in (ann, mira):
        await person.expect_messages("is anybody there?", "me")
    await mira.page.reload()
    await mira.expect_messages("is anybody there?", "me")
    await mira.page.get_by_role("link", name="anonchat").click()
    await mira.expect_path("/")
    await mira.own_room(room).get_by_role("link").click()
    await mira.expect_room(room)
    link = ann.page.url

    ben = await world.person("Ben")
    await ben.page.goto(link)
    await ben.submit_login(ben.nickname)
    await ben.join_room()
    await expect(ben.page).to_have_url(link)
    (cookie,) = await ben.context.cookies()
    assert (cookie["name"], cookie["path"]) == ("anonchat", "/chat")
    await ben.post_messages("who else?")
    await ann.expect_message("who else?")

    await ben.open_settings()
    await ben.button("Русский").click()
    await expect(ben.page.locator("html")).to_have_attribute("lang", "ru")
    (language,) = [one for one in await ben.context.cookies() if one["name"] == "language"]
    assert language["path"] == "/chat"

    await ann.sign_out()
    await expect(ann.page).to_have_url(f"{ann.home}/login")
    await mira.forget_me()
    await mira.expect_path("/login")


async def test_end_of_a_room_leads_to_the_lobby_below_a_path(world: World) -> None:
    room = world.name("night train")
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.button("Burn room").click()
    await ann.button("Yes, burn it now").click()
    for person in (ann, mira):
        await person.page.get_by_role("link", name="Back to the lobby").click()
        await person.expect_path("/")
    await ann.open_room(room)
    await ann.leave_room()
