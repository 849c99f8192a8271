"""The session cookie: how it is set, checked and cleared; redirect targets after sign-in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from cryptography.fernet import Fernet
from fastapi import Depends, FastAPI, Request, Response
from hypothesis import given
from hypothesis import strategies as st

from anonchat import Chat, TokenRevoked, Visitor
from pages.http.auth import SessionAuth, local_path
from pages.http.cross_origin import CrossOriginProtectionMiddleware
from tests.fakes import EventRecorder, FakeClock, running_chat


class AuthApp:
    """An application that returns the nickname of the authenticated visitor."""

    def __init__(self, chat: Chat, address: str) -> None:
        self.chat = chat
        self.auth = SessionAuth(chat)
        self.address = address
        web = FastAPI()
        web.include_router(self.auth.routes())
        web.add_middleware(
            CrossOriginProtectionMiddleware,
            base_url=chat.settings.base_url,
            misdirected_page=lambda _request: Response(status_code=421),
        )

        @web.get("/{path:path}")
        async def read_nickname(
            request: Request, visitor: Annotated[Visitor, Depends(self.auth.require_visitor)]
        ) -> str:
            return visitor.nickname

        transport = httpx.ASGITransport(app=web)
        self.browser = httpx.AsyncClient(transport=transport, base_url=address)

    async def post(self, ticket: str, origin: str | None = None) -> httpx.Response:
        """Post a ticket as the page does."""
        headers = {"origin": self.address if origin is None else origin}
        return await self.browser.post("/session", content=ticket, headers=headers)

    async def ticket(self, nickname: str) -> str:
        """Sign a visitor in and return the ticket."""
        _, token = await self.chat.identity.sign_in(nickname)
        return self.auth.create_ticket(token)


@asynccontextmanager
async def running_app(folder: Path, address: str, **settings: object) -> AsyncIterator[AuthApp]:
    async with running_chat(folder, FakeClock(), **settings) as chat:
        site = AuthApp(chat, address)
        async with site.browser:
            yield site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[AuthApp]:
    async with running_app(tmp_path / "data", "http://chat.localhost") as site:
        yield site


def _cookie(response: httpx.Response) -> Morsel[str]:
    (cookie,) = SimpleCookie(response.headers["set-cookie"]).values()
    return cookie


async def test_ticket_sets_a_session_cookie_that_authenticates(site: AuthApp) -> None:
    response = await site.post(await site.ticket("Ann"))
    assert response.status_code == 204
    assert (await site.browser.get("/")).json() == "Ann"


async def test_cookie_over_http_has_the_expected_attributes(site: AuthApp) -> None:
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
    ids=["request", "request and base_url", "base_url"],
)
async def test_cookie_over_https_is_secure_and_bound_to_the_host(
    tmp_path: Path, address: str, settings: dict[str, str]
) -> None:
    async with running_app(tmp_path / "data", address, **settings) as site:
        ticket = await site.ticket("Ann")
        cookie = _cookie(await site.post(ticket, origin="https://chat.localhost"))
        assert cookie.key == "__Host-anonchat"
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["path"] == "/"
        assert not cookie["domain"]


async def test_cookie_below_a_path_is_bound_to_it(tmp_path: Path) -> None:
    address = "https://chat.localhost"
    async with running_app(tmp_path / "data", address, base_url=f"{address}/chat") as site:
        site.browser.headers["x-forwarded-prefix"] = "/chat"
        cookie = _cookie(await site.post(await site.ticket("Ann")))
        assert (cookie.key, cookie["path"]) == ("__Secure-anonchat", "/chat")
        assert cookie["secure"]
        headers = {"origin": address, "cookie": f"{cookie.key}={cookie.value}"}
        assert (await site.browser.get("/", headers=headers)).json() == "Ann"
        deleted = _cookie(await site.browser.delete("/session", headers=headers))
        assert (deleted.key, deleted["path"], deleted.value) == ("__Secure-anonchat", "/chat", "")


async def test_cookie_without_host_prefix_is_ignored_over_https(tmp_path: Path) -> None:
    async with running_app(tmp_path / "data", "https://chat.localhost") as site:
        _, token = await site.chat.identity.sign_in("Ann")
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
async def test_cross_origin_request_cannot_set_or_clear_the_cookie(
    site: AuthApp, origin: str, method: str
) -> None:
    ticket = await site.ticket("Ann")
    response = await site.browser.request(
        method, "/session", content=ticket, headers={"origin": origin}
    )
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


async def test_request_without_origin_sets_no_cookie(site: AuthApp) -> None:
    response = await site.browser.post("/session", content=await site.ticket("Ann"))
    assert response.status_code == 403


@pytest.mark.parametrize("ticket", ["", "nonsense", "é" * 10, "x" * 100_000])
async def test_invalid_ticket_is_refused(site: AuthApp, ticket: str) -> None:
    response = await site.post(ticket)
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


async def test_token_is_not_accepted_as_a_ticket(site: AuthApp) -> None:
    _, token = await site.chat.identity.sign_in("Ann")
    assert (await site.post(token)).status_code == 403


async def test_expired_ticket_is_refused(site: AuthApp, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = await site.ticket("Ann")
    monkeypatch.setattr("pages.http.auth._TICKET_SECONDS", -1)
    assert (await site.post(ticket)).status_code == 403


async def test_ticket_encrypted_with_another_key_is_refused(site: AuthApp) -> None:
    _, token = await site.chat.identity.sign_in("Ann")
    ticket = Fernet(Fernet.generate_key()).encrypt(token.encode()).decode()
    assert (await site.post(ticket)).status_code == 403


async def test_ticket_of_another_node_is_accepted(site: AuthApp) -> None:
    _, token = await site.chat.identity.sign_in("Ann")
    assert (await site.post(SessionAuth(site.chat).create_ticket(token))).status_code == 204


async def test_ticket_is_accepted_once(site: AuthApp) -> None:
    ticket = await site.ticket("Ann")
    assert (await site.post(ticket)).status_code == 204
    second = await site.post(ticket)
    assert second.status_code == 403
    assert "set-cookie" not in second.headers
    assert (await site.browser.get("/")).json() == "Ann"


async def test_ticket_posted_concurrently_sets_one_cookie(site: AuthApp) -> None:
    ticket = await site.ticket("Ann")
    responses = await asyncio.gather(*(site.post(ticket) for _ in range(9)))
    assert sorted(response.status_code for response in responses) == [204] + [403] * 8


async def test_ticket_of_a_deleted_visitor_is_refused(site: AuthApp) -> None:
    visitor, token = await site.chat.identity.sign_in("Ann")
    ticket = site.auth.create_ticket(token)
    await site.chat.identity.forget(visitor.id)
    assert (await site.post(ticket)).status_code == 403


async def test_sign_out_revokes_only_the_token_of_this_browser(site: AuthApp) -> None:
    phrase = "correct horse battery"
    _, token = await site.chat.identity.sign_in("Ann", phrase=phrase)
    _, other_token = await site.chat.identity.sign_in("Ann", phrase=phrase)
    cookie = _cookie(await site.post(site.auth.create_ticket(token))).value
    assert await site.chat.identity.authenticate(cookie)
    recorder = EventRecorder(site.chat)
    response = await site.browser.delete("/session", headers={"origin": site.address})
    assert response.status_code == 204
    visitor = await site.chat.identity.authenticate(other_token)
    assert visitor
    assert recorder.events == [TokenRevoked(visitor.id)]
    assert await site.chat.identity.authenticate(cookie) is None
    site.browser.cookies.set("anonchat", cookie, domain="chat.localhost")  # a stolen copy
    assert (await site.browser.get("/")).status_code == 303


@pytest.mark.parametrize("cookie", ["", "x", "a" * 4_000])
async def test_sign_out_without_a_valid_token_changes_nothing(site: AuthApp, cookie: str) -> None:
    recorder = EventRecorder(site.chat)
    headers = {"origin": site.address, "cookie": f"anonchat={cookie}"}
    assert (await site.browser.delete("/session", headers=headers)).status_code == 204
    assert recorder.events == []


async def test_sign_out_clears_the_cookie(site: AuthApp) -> None:
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
async def test_anonymous_request_is_redirected_to_login_with_return_path(
    site: AuthApp, path: str, login: str
) -> None:
    response = await site.browser.get(path)
    assert response.status_code == 303
    assert response.headers["location"] == login


@pytest.mark.parametrize("token", ["x", "é", "\x80\xff", "a" * 4_000])
async def test_unknown_token_is_redirected_to_login(site: AuthApp, token: str) -> None:
    response = await site.browser.get(
        "/", headers={"cookie": f"anonchat={token}".encode("latin-1")}
    )
    assert response.status_code == 303


async def test_deleted_visitor_is_redirected_to_login(site: AuthApp) -> None:
    visitor, token = await site.chat.identity.sign_in("Ann")
    await site.post(site.auth.create_ticket(token))
    await site.chat.identity.forget(visitor.id)
    assert (await site.browser.get("/")).status_code == 303


@pytest.mark.parametrize(
    "target", ["/", "/r/night-train", "/r/a?b=c#d", "/privacy", "/r/я", "/a//b", "/a:b"]
)
def test_local_path_keeps_paths_of_this_site(target: str) -> None:
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
def test_local_path_replaces_other_targets_with_the_lobby(target: str) -> None:
    assert local_path(target) == "/"


@given(st.text(alphabet="/\\:.?#@[]ahtp \t\n%", max_size=12))
def test_local_path_never_leads_to_another_site(target: str) -> None:
    path = local_path(target)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))
    assert "\t" not in path
    assert "\n" not in path
