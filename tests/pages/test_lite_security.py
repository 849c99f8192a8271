"""What protects the pages without scripts, in the whole application."""

from urllib.parse import unquote

import httpx
import pytest

from anonchat import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")

_ORIGIN = "http://chat.localhost"


async def _join(browser: httpx.AsyncClient, chat: Chat, nickname: str) -> str:
    """Sign in, and return the path of a room that the visitor is in."""
    visitor, token = await chat.identity.sign_in(nickname)
    browser.cookies.set("anonchat", token)
    room = await chat.rooms.open("plain room", visitor_id=visitor.id)
    await chat.memberships.join(room.id, visitor_id=visitor.id)
    return f"/lite/{room.slug}"


@pytest.mark.parametrize("path", ["/lite", "/lite/plain-room", "/lite/plain-room/messages"])
@pytest.mark.parametrize("code", ["en", "ru"])
async def test_pages_contain_and_allow_no_script_and_are_not_stored(
    browser: httpx.AsyncClient, chat: Chat, path: str, code: str
) -> None:
    await _join(browser, chat, f"Plain Paul {code} {path.count('/')}")
    response = await browser.get(path, headers={"accept-language": code})
    assert response.status_code == 200
    assert f'lang="{code}"' in response.text
    assert "<script" not in response.text
    assert " on" not in "".join(part.split(">")[0] for part in response.text.split("<")[1:])
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "script-src" not in policy
    assert response.headers["cache-control"] == "no-store"


async def test_only_our_pages_may_frame_the_messages(
    browser: httpx.AsyncClient, chat: Chat
) -> None:
    path = await _join(browser, chat, "Plain Frida")
    for address, ancestors, options in (
        (path, "'none'", "DENY"),
        (f"{path}/messages", "'self'", "SAMEORIGIN"),
    ):
        headers = (await browser.get(address)).headers
        assert headers["content-security-policy"].endswith(f"frame-ancestors {ancestors}")
        assert headers.get_list("x-frame-options") == [options]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
@pytest.mark.parametrize("form", ["", "/join", "/leave", "/opening"])
async def test_forms_of_other_sites_are_refused(
    browser: httpx.AsyncClient, chat: Chat, origin: str | None, form: str
) -> None:
    path = await _join(browser, chat, f"Plain Olga {form[1:]} {origin}"[:24].replace(":", ""))
    headers = {} if origin is None else {"origin": origin}
    response = await browser.post(path + form, data={"text": "forged"}, headers=headers)
    assert response.status_code == 403
    assert "forged" not in (await browser.get(f"{path}/messages")).text


async def test_anonymous_clients_are_led_to_the_login_page_and_learn_nothing_of_rooms(
    browser: httpx.AsyncClient, chat: Chat
) -> None:
    await _join(browser, chat, "Plain Anne")
    browser.cookies.clear()
    for path in ("/lite", "/lite/plain-room", "/lite/none"):
        response = await browser.get(path)
        assert response.status_code == 303
        assert response.headers["location"] == f"/login?next={path}"
    frames = {
        (await browser.get(f"/lite/{slug}/messages")).status_code for slug in ("plain-room", "none")
    }
    assert len(frames) == 1


async def test_unknown_room_is_not_found(browser: httpx.AsyncClient, chat: Chat) -> None:
    await _join(browser, chat, "Plain Nell")
    assert (await browser.get("/lite/none")).status_code == 404
    response = await browser.post("/lite/none", data={"text": "a"}, headers={"origin": _ORIGIN})
    assert response.status_code == 404
    assert (await browser.get("/lite/")).headers["location"] == "/lite"


@pytest.mark.parametrize(
    ("target", "shown"),
    [("/", "/lite"), ("/r/plain-room", "/lite/plain-room"), ("/privacy", "/privacy")],
)
async def test_login_form_leads_browsers_without_scripts_to_pages_without_them(
    browser: httpx.AsyncClient, target: str, shown: str
) -> None:
    page = (await browser.get(f"/login?next={target}")).text
    hidden = page.split("<noscript")[-1].split("</noscript>")[0]
    assert 'name="plain" value="yes"' in hidden
    nickname = f"Plain Lea {abs(hash(target)) % 10_000}"
    response = await browser.post(
        f"/session?next={target}",
        data={"nickname": nickname, "plain": "yes"},
        headers={"origin": _ORIGIN},
    )
    assert (response.status_code, unquote(response.headers["location"])) == (303, shown)
