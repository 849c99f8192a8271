"""Sign-in, authentication and deletion of visitors over HTTP."""

from datetime import timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from anonchat import Chat
from tests.api.api_client import ApiClient
from tests.api.apps import SignIn, api_client, running_app
from tests.challenge import solve
from tests.fakes import FakeClock

PHRASE = "correct horse battery staple"


async def test_sign_in_returns_a_valid_token(anonymous: ApiClient) -> None:
    response = await anonymous.call("POST", "/visitors", json={"nickname": " Ann "})
    assert response.status_code == 201
    assert response.json() == {
        "token": response.json()["token"],
        "nickname": "Ann",
        "expires_at": "2030-01-01T12:10:00Z",
    }
    assert len(response.json()["token"]) >= 43
    visitor = ApiClient(anonymous.http, response.json()["token"])
    assert await visitor.ask("GET", "/rooms/mine") == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"nickname": ""}, "invalid-nickname"),
        ({"nickname": "\u200b"}, "invalid-nickname"),
        ({"nickname": "x" * 25}, "invalid-nickname"),
        ({"nickname": "Admin"}, "invalid-nickname"),
        ({"nickname": "A\u04cfice"}, "invalid-nickname"),  # a Cyrillic letter
        ({"nickname": "Ann \u2713 5m8t7"}, "invalid-nickname"),
        ({"nickname": "Bob", "secret_phrase": "short"}, "invalid-phrase"),
        ({"nickname": 7}, "invalid-request"),
        ({"nickname": None}, "invalid-request"),
        ({}, "invalid-request"),
        ({"nickname": "Bob", "password": "x"}, "invalid-request"),
        (["nickname"], "invalid-request"),
        (None, "invalid-request"),
    ],
)
async def test_invalid_sign_in_is_refused_with_the_reason(
    anonymous: ApiClient, sent: object, problem: str
) -> None:
    response = await anonymous.call("POST", "/visitors", json=sent)
    assert (response.status_code, response.json()["type"]) == (422, f"/api/v1/problems/{problem}")


async def test_taken_nickname_is_refused(ann: ApiClient, anonymous: ApiClient) -> None:
    response = await anonymous.call("POST", "/visitors", json={"nickname": "ANN"})
    assert (response.status_code, response.json()["type"]) == (
        409,
        "/api/v1/problems/nickname-taken",
    )


async def test_sign_in_with_the_secret_phrase_adds_a_token(sign_in: SignIn) -> None:
    first = await sign_in("Ann", secret_phrase=PHRASE)
    await first.open("night train")
    second = await sign_in("Ann", secret_phrase=PHRASE)
    assert second.token != first.token
    for program in (first, second):
        mine = await program.ask("GET", "/rooms/mine")
        assert [room["name"] for room in mine["items"]] == ["night train"]


async def test_hidden_visitor_is_not_here_in_any_session(
    bob: ApiClient, slug: str, sign_in: SignIn
) -> None:
    first = await sign_in("Cid", secret_phrase=PHRASE)
    second = await sign_in("Cid", secret_phrase=PHRASE)
    author = (await first.open("night train"))["membership"]["author"]
    changes = {"shows_presence": False}
    async with bob.listen(slug) as watching, second.listen(slug) as stream:
        await stream.ready()
        await watching.until("presence", author=author, present=True)
        hidden = await first.ask("PATCH", "/visitors/me", json=changes)
        assert hidden == {"shows_typing": True, "shows_presence": False}
        await watching.until("presence", author=author, present=False)
        assert (await bob.ask("GET", f"/rooms/{slug}"))["here"] == 1
        await second.ask("PUT", f"/rooms/{slug}/typing")
        assert await first.ask("PATCH", "/visitors/me", json={}) == hidden
        shown = await second.ask("PATCH", "/visitors/me", json={"shows_presence": True})
        assert shown == {"shows_typing": True, "shows_presence": True}
        events = await watching.until("presence", author=author, present=True)
        assert [event.kind for event in events] == ["presence"]


@pytest.mark.parametrize("changes", [{"shows_presence": 1}, {"shows_nothing": True}, [], None])
async def test_malformed_preferences_are_refused(ann: ApiClient, changes: object) -> None:
    response = await ann.call("PATCH", "/visitors/me", json=changes)
    assert (response.status_code, response.json()["type"][-15:]) == (422, "invalid-request")


async def test_deleting_the_visitor_deletes_their_messages_and_token(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    await ann.say(slug, "one", "two")
    response = await ann.call("DELETE", "/visitors/me")
    assert (response.status_code, response.content) == (204, b"")
    assert (await bob.read(slug))["items"] == []
    assert (await ann.get("/rooms/mine")).status_code == 401
    assert (await ann.call("DELETE", "/visitors/me")).status_code == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer x", "Basic QW5u", "й", "x" * 99]
)
async def test_unauthenticated_call_gets_www_authenticate(
    anonymous: ApiClient, header: str
) -> None:
    for method, path in (
        ("PATCH", "/visitors/me"),
        ("DELETE", "/visitors/me"),
        ("GET", "/rooms"),
        ("GET", "/rooms/mine"),
        ("POST", "/rooms"),
        ("GET", "/rooms/x"),
        ("PATCH", "/rooms/x"),
        ("PUT", "/rooms/x/membership"),
        ("DELETE", "/rooms/x/membership"),
        ("GET", "/rooms/x/messages"),
        ("POST", "/rooms/x/messages"),
        ("DELETE", "/rooms/x/messages/y"),
        ("GET", "/rooms/x/events"),
    ):
        headers = {"Authorization": header.encode()} if header else {}
        response = await anonymous.http.request(method, path, headers=headers)
        assert response.status_code == 401, (method, path)
        assert response.json()["type"] == "/api/v1/problems/unknown-visitor"
        assert response.headers["www-authenticate"] == 'Bearer realm="anonchat"'


async def test_expired_visitor_is_not_authenticated(ann: ApiClient, clock: FakeClock) -> None:
    clock.advance(timedelta(days=30))
    assert (await ann.get("/rooms")).status_code == 401


async def test_responses_contain_no_token_and_no_visitor_id(
    ann: ApiClient, bob: ApiClient, slug: str, chat: Chat
) -> None:
    visitor = await chat.identity.authenticate(ann.token)
    assert visitor
    await ann.say(slug, "hello")
    await ann.open("other")
    bodies = [
        (await program.get(path)).text
        for program in (ann, bob)
        for path in (f"/rooms/{slug}", "/rooms", "/rooms/mine", f"/rooms/{slug}/messages")
    ]
    async with bob.listen(slug, after=0) as stream:
        events = [await stream.next(), await stream.next()]
    for text in (*bodies, str(events)):
        assert ann.token not in text
        assert visitor.id not in text
    mine = (await ann.ask("GET", "/rooms/mine"))["items"]
    # a different pseudonym in each room
    assert len({room["membership"]["author"] for room in mine}) == 2


async def test_required_proof_of_work_can_be_solved_by_a_client(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_app(tmp_path, clock, pow_bits=4) as web, api_client(web) as http:
        response = await http.post("/visitors", json={"nickname": "Ann"})
        assert response.status_code == 403
        assert response.json()["type"] == "/api/v1/problems/puzzle-unsolved"
        puzzle = response.json()["puzzle"]
        candidates = (f"{puzzle['challenge']}:{number}" for number in count())
        solution = next(
            text
            for text in candidates
            if sha256(text.encode()).digest()[0] < 2 ** (8 - puzzle["bits"])
        )
        response = await http.post("/visitors", json={"nickname": "Ann", "solution": solution})
        assert response.status_code == 201


async def test_busy_network_requires_a_solvable_proof_of_work(
    tmp_path: Path, clock: FakeClock
) -> None:
    settings = {"sign_ins_per_ip": "1/1h"}
    async with running_app(tmp_path, clock, **settings) as web, api_client(web) as http:
        assert (await http.post("/visitors", json={"nickname": "Ann"})).status_code == 201
        response = await http.post("/visitors", json={"nickname": "Bob"})
        assert (response.status_code, response.json()["type"]) == (
            403,
            "/api/v1/problems/puzzle-unsolved",
        )
        puzzle = response.json()["puzzle"]
        solution = solve(puzzle["challenge"], puzzle["bits"])
        response = await http.post("/visitors", json={"nickname": "Bob", "solution": solution})
        assert response.status_code == 201
