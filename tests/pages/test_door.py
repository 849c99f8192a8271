"""The visitor's cookie: who may set it, and how it is kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from cryptography.fernet import Fernet
from fastapi import Depends, FastAPI, Request
from hypothesis import given
from hypothesis import strategies as some

from anonchat import Chat, TokenRevoked, Visitor
from pages.door import Door, local_path
from pages.origins import Origins
from tests.fakes import Ear, FakeClock, running_chat


class Site:
    """A door with nothing behind it but the name of whoever came in."""

    def __init__(self, chat: Chat, address: str) -> None:
        self.chat = chat
        self.door = Door(chat)
        self.address = address
        web = FastAPI()
        web.include_router(self.door.routes())
        web.add_middleware(Origins, base_url=chat.settings.base_url)

        @web.get("/{path:path}")
        async def whoever(
            request: Request, visitor: Annotated[Visitor, Depends(self.door.visitor)]
        ) -> str:
            return visitor.nickname

        transport = httpx.ASGITransport(app=web)
        self.browser = httpx.AsyncClient(transport=transport, base_url=address)

    async def post(self, ticket: str, origin: str | None = None) -> httpx.Response:
        """Post a ticket, as the page does."""
        headers = {"origin": self.address if origin is None else origin}
        return await self.browser.post("/session", content=ticket, headers=headers)

    async def ticket(self, nickname: str) -> str:
        """Come in, and return the ticket."""
        _, token = await self.chat.identity.come_in(nickname)
        return self.door.write_ticket(token)


@asynccontextmanager
async def standing(folder: Path, address: str, **settings: object) -> AsyncIterator[Site]:
    async with running_chat(folder, FakeClock(), **settings) as chat:
        site = Site(chat, address)
        async with site.browser:
            yield site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with standing(tmp_path / "data", "http://chat.localhost") as site:
        yield site


def _cookie(response: httpx.Response) -> Morsel[str]:
    (cookie,) = SimpleCookie(response.headers["set-cookie"]).values()
    return cookie


async def test_a_ticket_becomes_a_cookie_and_the_cookie_opens_the_door(site: Site) -> None:
    response = await site.post(await site.ticket("Ann"))
    assert response.status_code == 204
    assert (await site.browser.get("/")).json() == "Ann"


async def test_the_cookie_over_http(site: Site) -> None:
    cookie = _cookie(await site.post(await site.ticket("Ann")))
    assert cookie.key == "anonchat"
    assert cookie["httponly"]
    assert cookie["samesite"] == "lax"
    assert cookie["path"] == "/"
    assert not cookie["secure"]
    assert not cookie["domain"]


@pytest.mark.parametrize(
    ("address", "settings"),
    [
        ("https://chat.localhost", {}),
        ("https://chat.localhost", {"base_url": "https://chat.localhost"}),
        ("http://chat.localhost", {"base_url": "https://chat.localhost"}),
    ],
    ids=["seen", "seen and told", "told"],
)
async def test_the_cookie_over_https_is_bound_to_this_host(
    tmp_path: Path, address: str, settings: dict[str, str]
) -> None:
    async with standing(tmp_path / "data", address, **settings) as site:
        ticket = await site.ticket("Ann")
        cookie = _cookie(await site.post(ticket, origin="https://chat.localhost"))
        assert cookie.key == "__Host-anonchat"
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["path"] == "/"
        assert not cookie["domain"]


async def test_a_plain_cookie_does_not_open_a_door_over_https(tmp_path: Path) -> None:
    async with standing(tmp_path / "data", "https://chat.localhost") as site:
        _, token = await site.chat.identity.come_in("Ann")
        site.browser.cookies.set("anonchat", token)
        assert (await site.browser.get("/")).status_code == 303


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://chat.localhost.evil.example",
        "http://[",
        "chat.localhost",
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_another_site_can_neither_set_nor_clear_it(
    site: Site, origin: str, method: str
) -> None:
    ticket = await site.ticket("Ann")
    response = await site.browser.request(
        method, "/session", content=ticket, headers={"origin": origin}
    )
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


async def test_without_an_origin_nothing_is_set(site: Site) -> None:
    response = await site.browser.post("/session", content=await site.ticket("Ann"))
    assert response.status_code == 403


@pytest.mark.parametrize("ticket", ["", "nonsense", "é" * 10, "x" * 100_000])
async def test_a_false_ticket_opens_nothing(site: Site, ticket: str) -> None:
    response = await site.post(ticket)
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


async def test_a_token_is_no_ticket(site: Site) -> None:
    _, token = await site.chat.identity.come_in("Ann")
    assert (await site.post(token)).status_code == 403


async def test_a_ticket_is_good_for_half_a_minute(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await site.ticket("Ann")
    monkeypatch.setattr("pages.door._TICKET_SECONDS", -1)
    assert (await site.post(ticket)).status_code == 403


async def test_a_ticket_of_another_site_opens_nothing(site: Site) -> None:
    _, token = await site.chat.identity.come_in("Ann")
    ticket = Fernet(Fernet.generate_key()).encrypt(token.encode()).decode()
    assert (await site.post(ticket)).status_code == 403


async def test_a_ticket_of_another_node_is_as_good_as_our_own(site: Site) -> None:
    _, token = await site.chat.identity.come_in("Ann")
    assert (await site.post(Door(site.chat).write_ticket(token))).status_code == 204


async def test_a_ticket_opens_the_door_once(site: Site) -> None:
    ticket = await site.ticket("Ann")
    assert (await site.post(ticket)).status_code == 204
    again = await site.post(ticket)
    assert again.status_code == 403
    assert "set-cookie" not in again.headers
    assert (await site.browser.get("/")).json() == "Ann"


async def test_a_ticket_posted_many_times_at_once_sets_one_cookie(site: Site) -> None:
    ticket = await site.ticket("Ann")
    answers = await asyncio.gather(*(site.post(ticket) for _ in range(9)))
    assert sorted(answer.status_code for answer in answers) == [204] + [403] * 8


async def test_a_ticket_of_one_who_was_forgotten_opens_nothing(site: Site) -> None:
    visitor, token = await site.chat.identity.come_in("Ann")
    ticket = site.door.write_ticket(token)
    await site.chat.identity.forget(visitor.id)
    assert (await site.post(ticket)).status_code == 403


async def test_signing_out_ends_the_token_and_no_other_of_the_visitor(site: Site) -> None:
    phrase = "correct horse battery"
    _, token = await site.chat.identity.come_in("Ann", phrase=phrase)
    _, elsewhere = await site.chat.identity.come_in("Ann", phrase=phrase)
    cookie = _cookie(await site.post(site.door.write_ticket(token))).value
    assert await site.chat.identity.recognise(cookie)
    ear = Ear(site.chat)
    answer = await site.browser.delete("/session", headers={"origin": site.address})
    assert answer.status_code == 204
    visitor = await site.chat.identity.recognise(elsewhere)
    assert visitor
    assert ear.heard == [TokenRevoked(visitor.id)]
    assert await site.chat.identity.recognise(cookie) is None
    site.browser.cookies.set("anonchat", cookie, domain="chat.localhost")  # a thief has kept it
    assert (await site.browser.get("/")).status_code == 303


@pytest.mark.parametrize("cookie", ["", "x", "a" * 4_000])
async def test_signing_out_a_stranger_changes_nothing(site: Site, cookie: str) -> None:
    ear = Ear(site.chat)
    headers = {"origin": site.address, "cookie": f"anonchat={cookie}"}
    assert (await site.browser.delete("/session", headers=headers)).status_code == 204
    assert ear.heard == []


async def test_the_cookie_is_cleared(site: Site) -> None:
    await site.post(await site.ticket("Ann"))
    await site.browser.delete("/session", headers={"origin": site.address})
    response = await site.browser.get("/")
    assert response.status_code == 303


@pytest.mark.parametrize(
    ("path", "login"),
    [
        ("/", "/login"),
        ("/r/night-train", "/login?next=/r/night-train"),
        ("/r/a%26b", "/login?next=/r/a%26b"),
        ("/r/%D1%8F", "/login?next=/r/%D1%8F"),
    ],
)
async def test_the_unknown_are_sent_to_the_login_and_back(
    site: Site, path: str, login: str
) -> None:
    response = await site.browser.get(path)
    assert response.status_code == 303
    assert response.headers["location"] == login


@pytest.mark.parametrize("token", ["x", "é", "\x80\xff", "a" * 4_000])
async def test_an_unknown_token_is_nobody(site: Site, token: str) -> None:
    response = await site.browser.get(
        "/", headers={"cookie": f"anonchat={token}".encode("latin-1")}
    )
    assert response.status_code == 303


async def test_one_who_was_forgotten_is_nobody(site: Site) -> None:
    visitor, token = await site.chat.identity.come_in("Ann")
    await site.post(site.door.write_ticket(token))
    await site.chat.identity.forget(visitor.id)
    assert (await site.browser.get("/")).status_code == 303


@pytest.mark.parametrize(
    "target", ["/", "/r/night-train", "/r/a?b=c#d", "/privacy", "/r/я", "/a//b", "/a:b"]
)
def test_paths_of_this_site_are_kept(target: str) -> None:
    assert local_path(target) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        "r/x",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "http://[",
        "//[",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "\x00/",
    ],
)
def test_anything_else_becomes_the_lobby(target: str) -> None:
    assert local_path(target) == "/"


@given(some.text(alphabet="/\\:.?#@[]ahtp \t\n%", max_size=12))
def test_no_target_leads_away(target: str) -> None:
    path = local_path(target)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert "\t" not in path
    assert "\n" not in path
