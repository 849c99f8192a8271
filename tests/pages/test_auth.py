"""The session cookie: how it is set, checked and cleared."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
import pytest_asyncio
from fastapi import Depends, FastAPI, Request, Response

from anonchat import Chat, TokenRevoked, Visitor
from anonchat.rates import Rate
from pages import sign_in
from pages.context import PageContext
from pages.feeds.broadcaster import FeedBroadcaster
from pages.http.auth import SessionAuth
from pages.http.cross_origin import CrossOriginProtectionMiddleware
from pages.i18n.language import load_languages
from tests.fakes import THEMES, EventRecorder, FakeClock, make_limit, running_chat

# NiceGUI, which draws a refused form, runs once in a process.
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("web")]


class AuthApp:
    """An application that returns the nickname of the authenticated visitor."""

    def __init__(self, chat: Chat, clock: FakeClock, address: str) -> None:
        self.chat = chat
        self.clock = clock
        self.auth = SessionAuth(chat)
        self.address = address
        web = FastAPI()
        web.include_router(self.auth.routes())
        feeds = FeedBroadcaster(chat.clock, chat.metrics, chat.work_budget)
        context = PageContext(chat, feeds, self.auth, load_languages(), THEMES)
        web.include_router(sign_in.routes(context))
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

    async def submit_form(self, *, path: str = "/session", **fields: str) -> httpx.Response:
        """Post the login form as a browser without scripts does."""
        return await self.browser.post(path, data=fields, headers={"origin": self.address})

    async def sign_in(
        self, nickname: str = "Ann", *, origin: str | None = None, **fields: str
    ) -> httpx.Response:
        """Post the login form as the page does."""
        headers = {"origin": self.address if origin is None else origin}
        form = {"nickname": nickname, **fields}
        return await self.browser.post("/session", json=form, headers=headers)


@asynccontextmanager
async def running_app(folder: Path, address: str, **settings: object) -> AsyncIterator[AuthApp]:
    clock = FakeClock()
    async with running_chat(folder, clock, **settings) as chat:
        site = AuthApp(chat, clock, address)
        async with site.browser:
            yield site


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[AuthApp]:
    async with running_app(tmp_path / "data", "http://chat.localhost") as site:
        yield site


def _forbid_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let NiceGUI fail to create a page."""
    monkeypatch.setattr("nicegui.Client.__init__", None)


def _cookie(response: httpx.Response) -> Morsel[str]:
    (cookie,) = SimpleCookie(response.headers["set-cookie"]).values()
    return cookie


async def test_sign_in_sets_a_session_cookie_that_authenticates(site: AuthApp) -> None:
    assert (await site.browser.get("/session")).status_code == 401
    response = await site.sign_in()
    assert response.status_code == 204
    assert (await site.browser.get("/session")).status_code == 204
    assert (await site.browser.get("/")).json() == "Ann"


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"nickname": " "}, "nickname", "Please choose a nickname that others can see."),
        ({"nickname": "Mira"}, "nickname", "That nickname, or one like it, is taken."),
        ({"phrase": "short"}, "phrase", "A secret phrase has 8 to 200 characters."),
    ],
)
async def test_refused_sign_in_names_the_field_and_the_reason(
    site: AuthApp, fields: dict[str, str], field: str, reason: str
) -> None:
    await site.chat.identity.sign_in("Mira")
    response = await site.sign_in(**fields)
    assert response.status_code == 200
    assert response.json() == {"field": field, "reason": reason}
    assert "set-cookie" not in response.headers


async def test_rate_limited_sign_in_tells_the_seconds_that_its_reason_names(site: AuthApp) -> None:
    await site.chat.identity.sign_in("Ann")
    for _ in range(5):
        await site.sign_in(phrase="wrong horse battery")
    refusal = (await site.sign_in(phrase="wrong horse battery")).json()
    assert refusal["field"] == "phrase"
    assert refusal["seconds"] > 0
    assert f"in {refusal['seconds']} s." in refusal["reason"]


@pytest.mark.parametrize(
    "form", [{}, [], "", {"nickname": 1}, {"nickname": "Ann", "attempt": "x" * 65}]
)
async def test_malformed_sign_in_is_refused(site: AuthApp, form: object) -> None:
    response = await site.browser.post("/session", json=form, headers={"origin": site.address})
    assert response.status_code == 422
    assert await site.chat.identity.is_nickname_available("Ann")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/session", "/"),
        ("/session?next=/r/night-train", "/r/night-train"),
        ("/session?next=/r/a%2526b", "/r/a%26b"),
        ("/session?next=/r/%D1%8F", "/r/%D1%8F"),
        ("/session?next=//evil.example", "/"),
        ("/session?next=https://evil.example", "/"),
    ],
)
async def test_plain_form_signs_in_and_leads_to_the_target(
    site: AuthApp, path: str, target: str
) -> None:
    response = await site.submit_form(path=path, nickname="Ann", phrase="")
    assert (response.status_code, response.headers["location"]) == (303, target)
    assert _cookie(response)["httponly"]
    assert (await site.browser.get("/")).json() == "Ann"


async def test_plain_form_below_a_path_leads_there(tmp_path: Path) -> None:
    address = "https://chat.localhost"
    async with running_app(tmp_path / "data", address, base_url=f"{address}/chat") as site:
        site.browser.headers["x-forwarded-prefix"] = "/chat"
        response = await site.submit_form(path="/session?next=/r/a", nickname="Ann")
        assert response.headers["location"] == "/chat/r/a"
        refused = await site.submit_form(path="/session?next=/r/a", nickname="")
        assert '<base href="/chat/">' in refused.text
        assert ' action="session?next=/r/a"' in refused.text


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"nickname": " "}, "Please choose a nickname that others can see."),
        ({"nickname": "Mira"}, "That nickname, or one like it, is taken."),
        (
            {"nickname": "Ann", "phrase": "too short"[:7]},
            "A secret phrase has 8 to 200 characters.",
        ),
    ],
)
async def test_refused_plain_form_is_shown_again_with_the_nickname_and_the_reason(
    site: AuthApp, fields: dict[str, str], reason: str
) -> None:
    await site.chat.identity.sign_in("Mira")
    response = await site.submit_form(**fields)
    assert response.status_code == 422
    assert "set-cookie" not in response.headers
    assert f' value="{fields["nickname"]}"' in response.text
    assert f">{reason}</p>" in response.text
    assert "too sho" not in response.text
    assert "<script" not in response.text


async def test_refused_plain_form_escapes_the_nickname(site: AuthApp) -> None:
    response = await site.submit_form(nickname='"><script>alert(1)</script>' * 2)
    assert "&lt;script&gt;" in response.text
    assert "<script" not in response.text


async def test_refused_plain_form_is_drawn_once_and_filled_with_the_values_of_its_request(
    site: AuthApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.chat.identity.sign_in("Mira")
    await site.submit_form(path="/session?next=/r/a", nickname=" ", attempt="first")
    _forbid_elements(monkeypatch)
    second = await site.submit_form(path="/session?next=/r/b", nickname="Mira", attempt="second")
    assert second.status_code == 422
    assert ">That nickname, or one like it, is taken.</p>" in second.text
    for name, value in {"action": "session?next=/r/b", "value": "Mira"}.items():
        assert f' {name}="{value}"' in second.text
    assert ' value="second"' in second.text
    assert "first" not in second.text
    assert "/r/a" not in second.text


async def test_refused_plain_form_does_not_fill_in_what_the_nickname_contains(
    site: AuthApp,
) -> None:
    response = await site.submit_form(nickname="\0attempt\0" * 24, attempt="xyzzy")
    assert response.text.count("xyzzy") == 1


async def test_refused_plain_form_shows_no_more_than_its_field_can_contain(site: AuthApp) -> None:
    response = await site.submit_form(nickname="a" * 60_000)
    assert ">That is too long: 24 characters at most.</p>" in response.text
    assert f' value="{"a" * 600}"' in response.text


async def test_plain_form_over_the_work_budget_is_refused_before_anything_else(
    site: AuthApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = site.chat.work_budget._anonymous_pool
    monkeypatch.setattr(pool, "limit", make_limit(Rate(1, timedelta(hours=1)), site.clock))
    pool.limit.hit("127.0.0.1")
    waits = []
    for _ in range(2):
        response = await site.submit_form(nickname="Ann")
        assert response.status_code == 429
        waits.append(int(response.headers["retry-after"]))
        assert f">That was too often. Please try again in {waits[-1]} s.</h1>" in response.text
        site.clock.advance(timedelta(seconds=1))
        _forbid_elements(monkeypatch)
    assert waits[0] - 1 == waits[1] > 0
    assert await site.chat.identity.is_nickname_available("Ann")


async def test_plain_form_with_too_many_phrases_is_told_when_to_retry(site: AuthApp) -> None:
    await site.chat.identity.sign_in("Mira", phrase="correct horse battery")
    responses = [
        await site.submit_form(nickname="Mira", phrase=f"wrong phrase {number}")
        for number in range(6)
    ]
    assert [response.status_code for response in responses] == [422] * 5 + [429]
    assert responses[-1].headers["retry-after"] == "600"


async def test_plain_form_says_that_a_challenge_needs_scripts_and_time(tmp_path: Path) -> None:
    async with running_app(tmp_path / "data", "http://chat.localhost", pow_bits=4) as site:
        response = await site.submit_form(nickname="Ann")
        assert response.status_code == 429
        assert response.headers["retry-after"] == "10"
        assert "wait until the page has loaded" in response.text
        assert "If scripts are blocked" in response.text
        site.browser.headers["accept-language"] = "ru"
        response = await site.submit_form(nickname="Ann")
        assert "подождите, пока страница загрузится" in response.text
        assert "разрешите JavaScript" in response.text
        assert await site.chat.identity.is_nickname_available("Ann")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"phrase=x", "application/x-www-form-urlencoded"),
        (b"nickname=Ann&nickname=Ben", "application/x-www-form-urlencoded"),
        (b"nickname=\xff", "application/x-www-form-urlencoded"),
        (b"nickname=Ann" + b"&x=1" * 1_000, "application/x-www-form-urlencoded"),
        (b"nickname=Ann&attempt=" + b"x" * 65, "application/x-www-form-urlencoded"),
        (b"nickname=Ann", "text/plain"),
        (b"nickname=Ann", "application/json"),
        (b"--x--", "multipart/form-data; boundary=x"),
        (b"\xff", ""),
    ],
)
async def test_malformed_plain_form_is_refused(
    site: AuthApp, body: bytes, content_type: str
) -> None:
    headers = {"origin": site.address, "content-type": content_type}
    response = await site.browser.post("/session", content=body, headers=headers)
    assert response.status_code == 422
    assert await site.chat.identity.is_nickname_available("Ann")


async def test_repeated_plain_form_is_the_same_attempt(site: AuthApp) -> None:
    for _ in range(2):
        response = await site.submit_form(nickname="Ann", attempt="secret")
        assert response.status_code == 303
        site.browser.cookies.clear()


async def test_repeated_sign_in_replaces_the_one_whose_response_was_lost(site: AuthApp) -> None:
    await site.sign_in(attempt="secret")
    site.browser.cookies.clear()
    assert (await site.sign_in(attempt="secret")).status_code == 204
    assert (await site.browser.get("/")).json() == "Ann"


async def test_cookie_over_http_has_the_expected_attributes(site: AuthApp) -> None:
    cookie = _cookie(await site.sign_in())
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
        cookie = _cookie(await site.sign_in(origin="https://chat.localhost"))
        assert cookie.key == "__Host-anonchat"
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["path"] == "/"
        assert not cookie["domain"]


async def test_cookie_below_a_path_is_bound_to_it(tmp_path: Path) -> None:
    address = "https://chat.localhost"
    async with running_app(tmp_path / "data", address, base_url=f"{address}/chat") as site:
        site.browser.headers["x-forwarded-prefix"] = "/chat"
        cookie = _cookie(await site.sign_in())
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
    response = await site.browser.request(
        method, "/session", json={"nickname": "Ann"}, headers={"origin": origin}
    )
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "same-origin"}])
@pytest.mark.parametrize("form", ["json", "data"])
async def test_request_without_origin_sets_no_cookie(
    site: AuthApp, headers: dict[str, str], form: str
) -> None:
    fields: dict[str, Any] = {form: {"nickname": "Ann"}}
    response = await site.browser.post("/session", headers=headers, **fields)
    assert response.status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://chat.localhost:81"])
async def test_plain_form_of_another_site_is_refused(site: AuthApp, origin: str) -> None:
    response = await site.browser.post(
        "/session", data={"nickname": "Ann"}, headers={"origin": origin}
    )
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


async def test_sign_out_revokes_only_the_token_of_this_browser(site: AuthApp) -> None:
    phrase = "correct horse battery"
    _, other_token = await site.chat.identity.sign_in("Ann", phrase=phrase)
    cookie = _cookie(await site.sign_in(phrase=phrase)).value
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
    await site.sign_in()
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
    visitor = await site.chat.identity.authenticate(_cookie(await site.sign_in()).value)
    assert visitor
    await site.chat.identity.forget(visitor.id)
    assert (await site.browser.get("/")).status_code == 303
