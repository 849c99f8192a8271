"""Attacks by requests for pages and files."""

import json
from collections.abc import Callable, Container
from uuid import uuid4

from benchmarks.attacks.calls import request_token
from benchmarks.attacks.client import Client
from benchmarks.attacks.page import Page
from benchmarks.attacks.scene import Scene
from benchmarks.attacks.way import Act, Prepare, Way

_FORM_TYPE = "application/x-www-form-urlencoded"
_PAGE_LIMIT = ("page_views_per_ip",)
_ROUND = 300


def _get(
    path: str | Callable[[Scene, int], str],
    *,
    signed_in: bool = False,
    expect: Container[int] = range(200, 400),
    method: str = "GET",
    **options: object,
) -> Prepare:
    async def prepare(client: Client, scene: Scene) -> Act:
        async def act(number: int) -> None:
            await client.ask(
                method,
                path if isinstance(path, str) else path(scene, number),
                cookie=scene.token(number) if signed_in else "",
                expect=expect,
                **options,
            )

        return act

    return prepare


def _sign_in(**fields: str) -> Prepare:
    async def prepare(client: Client, _scene: Scene) -> Act:
        async def act(_number: int) -> None:
            body = {name: text.replace("*", uuid4().hex[:12]) for name, text in fields.items()}
            await client.ask("POST", "/session", headers={"Origin": client.url}, json=body)

        return act

    return prepare


def _submit_form(*, expect: Container[int], **fields: str) -> Prepare:
    """Sign in with the form, as browsers without scripts do."""

    async def prepare(client: Client, _scene: Scene) -> Act:
        async def act(_number: int) -> None:
            form = {name: text.replace("*", uuid4().hex[:12]) for name, text in fields.items()}
            origin = {"Origin": client.url}
            await client.ask("POST", "/session", headers=origin, data=form, expect=expect)

        return act

    return prepare


def _post_form(path: Callable[[Scene], str], **fields: str) -> Prepare:
    """Post a form of the pages without scripts."""

    async def prepare(client: Client, scene: Scene) -> Act:
        async def act(number: int) -> None:
            form = {name: text.replace("*", uuid4().hex[:12]) for name, text in fields.items()}
            headers = {"Origin": client.url}
            await client.ask(
                "POST", path(scene), cookie=scene.token(number), headers=headers, data=form
            )

        return act

    return prepare


async def _leave_and_join_plainly(client: Client, scene: Scene) -> Act:
    """Leave a room and join it again by the forms of its page without scripts."""

    async def act(number: int) -> None:
        for form in ("leave", "join"):
            await client.ask(
                "POST",
                f"/lite/{scene.own_room}/{form}",
                cookie=scene.token(number),
                headers={"Origin": client.url, "Content-Type": _FORM_TYPE},
            )

    return act


async def _open_plainly(client: Client, scene: Scene) -> Act:
    """Post messages, each of which another visitor opens once by the form without scripts."""
    headers, messages = {"Origin": client.url}, f"/api/v1/rooms/{scene.own_room}/messages"

    async def act(number: int) -> None:
        posted = {"text": "x" * 200, "once": True}
        message = await client.ask("POST", messages, token=scene.token(number), json=posted)
        await client.ask(
            "POST",
            f"/lite/{scene.own_room}/opening",
            cookie=scene.token(number + 1),
            headers=headers,
            data={"seq": str(json.loads(message)["seq"])},
        )

    return act


async def _reload_room(client: Client, scene: Scene) -> Act:
    """Open a room's page and close it at once, which changes the presence that others see."""

    async def act(number: int) -> None:
        page = Page(client, f"/r/{scene.lively_room}", scene.token(number))
        await page.open()
        await page.close()

    return act


async def _reconnect_room(client: Client, scene: Scene) -> Act:
    """Reconnect the sockets of open pages."""
    paths = [f"/r/{scene.lively_room}"] * scene.browser
    pages = [Page(client, path, scene.token(number)) for number, path in enumerate(paths)]
    for page in pages:
        await page.open()

    async def act(number: int) -> None:
        page = pages[number % len(pages)]
        await page.close()
        await page.connect()

    return act


async def _end_false_session(client: Client, _scene: Scene) -> Act:
    async def act(_number: int) -> None:
        await _end_session(client, "x" * 43)

    return act


async def _sign_in_and_out(client: Client, _scene: Scene) -> Act:
    """Sign in as a new visitor, and end the session."""

    async def act(_number: int) -> None:
        await _end_session(client, await request_token(client, nickname="s *"))

    return act


async def _end_session(client: Client, token: str) -> None:
    await client.ask("DELETE", "/session", cookie=token, headers={"Origin": client.url})


_SIGN_IN = (("POST", "/session"),)
WAYS = (
    Way("page: /login", _get("/login"), round=_ROUND),
    Way("page: /privacy", _get("/privacy"), round=_ROUND),
    Way("page: unknown", _get(lambda _, n: f"/no/{n}", expect=[404]), round=_ROUND),
    Way("page: / without a cookie", _get("/", expect=[303]), round=_ROUND),
    Way(
        "page: / with a false cookie",
        _get("/", expect=[303], headers={"Cookie": f"anonchat={'x' * 43}"}),
        round=_ROUND,
    ),
    Way("page: sign-in", _sign_in(nickname="a *"), _SIGN_IN, round=200),
    Way(
        "page: sign-in with a phrase",
        _sign_in(nickname="b *", phrase="phrase *"),
        _SIGN_IN,
        round=60,
    ),
    Way(
        "page: sign-in without scripts",
        _submit_form(expect=[303], nickname="c *"),
        _SIGN_IN,
        round=200,
    ),
    Way(
        "page: sign-in refused without scripts",
        _submit_form(expect=[422], nickname=" "),
        _SIGN_IN,
        round=_ROUND,
    ),
    Way(
        "page: /pass with a false solution",
        _get("/pass", expect=[403], method="POST", data="1900000000.18.c2f1d3.9a8b7c:41207"),
        (("POST", "/pass"),),
        round=_ROUND,
    ),
    Way(
        "page: /session ended with a false cookie",
        _end_false_session,
        (("DELETE", "/session"),),
        round=_ROUND,
    ),
    Way("page: signed in and out", _sign_in_and_out, (("DELETE", "/session"),), round=200),
    Way("file: style sheet", _get("/assets/theme.css"), round=_ROUND),
    Way("file: health", _get("/healthz"), round=_ROUND),
    Way("file: API reference", _get("/api/v1/docs"), round=_ROUND),
    Way("page: lobby", _get("/", signed_in=True), allowed=_PAGE_LIMIT),
    Way("page: room", _get(lambda s, _: f"/r/{s.full_room}", signed_in=True), allowed=_PAGE_LIMIT),
    Way(
        "page: unknown room", _get("/r/nowhere", signed_in=True, expect=[404]), allowed=_PAGE_LIMIT
    ),
    Way("page: lobby without scripts", _get("/lite", signed_in=True), allowed=_PAGE_LIMIT),
    Way(
        "page: room without scripts",
        _get(lambda s, _: f"/lite/{s.lively_room}", signed_in=True),
        allowed=_PAGE_LIMIT,
    ),
    Way(
        "page: messages without scripts",
        _get(lambda s, _: f"/lite/{s.lively_room}/messages", signed_in=True),
        allowed=_PAGE_LIMIT,
    ),
    Way(
        "page: rooms made without scripts",
        _post_form(lambda _: "/lite", name="r *"),
        (("POST", "/lite"),),
        allowed=("new_rooms_per_visitor", *_PAGE_LIMIT),
    ),
    Way(
        "page: posts without scripts",
        _post_form(lambda s: f"/lite/{s.own_room}", text="hello *", form="*"),
        (("POST", "/lite/{slug}"),),
        allowed=("posts_per_visitor", *_PAGE_LIMIT),
    ),
    Way(
        "page: room joined and left without scripts",
        _leave_and_join_plainly,
        (("POST", "/lite/{slug}/join"), ("POST", "/lite/{slug}/leave")),
        allowed=("joins_per_visitor", *_PAGE_LIMIT),
    ),
    Way(
        "page: messages opened once without scripts",
        _open_plainly,
        (("POST", "/lite/{slug}/opening"),),
        allowed=("posts_per_visitor", "openings_per_visitor", *_PAGE_LIMIT),
    ),
    Way(
        "page: own messages saved",
        _get(lambda s, _: f"/r/{s.own_room}/export", signed_in=True),
        allowed=("exports_per_visitor", *_PAGE_LIMIT),
    ),
    Way("page: room opened and closed", _reload_room, allowed=_PAGE_LIMIT),
    Way("page: room's socket reconnected", _reconnect_room, allowed=_PAGE_LIMIT),
)
