"""Coming in and being forgotten over HTTP."""

from datetime import timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from anonchat import Chat
from tests.api.program import Program
from tests.api.world import Settle, calling, running_app
from tests.challenge import solve
from tests.fakes import FakeClock

PHRASE = "correct horse battery staple"


async def test_coming_in_gives_a_token_that_is_known(stranger: Program) -> None:
    answer = await stranger.call("POST", "/visitors", json={"nickname": " Ann "})
    assert answer.status_code == 201
    assert answer.json() == {
        "token": answer.json()["token"],
        "nickname": "Ann",
        "expires_at": "2030-01-01T12:10:00Z",
    }
    assert len(answer.json()["token"]) >= 43
    known = Program(stranger.http, answer.json()["token"])
    assert await known.ask("GET", "/rooms/mine") == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"nickname": ""}, "invalid-nickname"),
        ({"nickname": "\u200b"}, "invalid-nickname"),
        ({"nickname": "x" * 25}, "invalid-nickname"),
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
async def test_what_cannot_come_in_is_told_why(
    stranger: Program, sent: object, problem: str
) -> None:
    answer = await stranger.call("POST", "/visitors", json=sent)
    assert (answer.status_code, answer.json()["type"]) == (422, f"/api/v1/problems/{problem}")


async def test_a_nickname_that_is_taken_is_refused(ann: Program, stranger: Program) -> None:
    answer = await stranger.call("POST", "/visitors", json={"nickname": "ANN"})
    assert (answer.status_code, answer.json()["type"]) == (409, "/api/v1/problems/nickname-taken")


async def test_the_secret_phrase_brings_one_back_with_a_token_more(come_in: Settle) -> None:
    first = await come_in("Ann", secret_phrase=PHRASE)
    await first.open("night train")
    second = await come_in("Ann", secret_phrase=PHRASE)
    assert second.token != first.token
    for program in (first, second):
        mine = await program.ask("GET", "/rooms/mine")
        assert [room["name"] for room in mine["items"]] == ["night train"]


async def test_being_forgotten_takes_everything_back(ann: Program, bob: Program, slug: str) -> None:
    await ann.say(slug, "one", "two")
    answer = await ann.call("DELETE", "/visitors/me")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await bob.read(slug))["items"] == []
    assert (await ann.get("/rooms/mine")).status_code == 401
    assert (await ann.call("DELETE", "/visitors/me")).status_code == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer x", "Basic QW5u", "й", "x" * 99]
)
async def test_whoever_is_not_known_is_told_how_to_be(stranger: Program, header: str) -> None:
    for method, path in (
        ("DELETE", "/visitors/me"),
        ("GET", "/rooms"),
        ("GET", "/rooms/mine"),
        ("POST", "/rooms"),
        ("GET", "/rooms/x"),
        ("PUT", "/rooms/x/membership"),
        ("DELETE", "/rooms/x/membership"),
        ("GET", "/rooms/x/messages"),
        ("POST", "/rooms/x/messages"),
        ("DELETE", "/rooms/x/messages/y"),
        ("GET", "/rooms/x/events"),
    ):
        headers = {"Authorization": header.encode()} if header else {}
        answer = await stranger.http.request(method, path, headers=headers)
        assert answer.status_code == 401, (method, path)
        assert answer.json()["type"] == "/api/v1/problems/unknown-visitor"
        assert answer.headers["www-authenticate"] == 'Bearer realm="anonchat"'


async def test_an_expired_visitor_is_known_no_more(ann: Program, clock: FakeClock) -> None:
    clock.move(timedelta(days=30))
    assert (await ann.get("/rooms")).status_code == 401


async def test_nothing_of_the_token_or_the_visitor_is_in_any_answer(
    ann: Program, bob: Program, slug: str, chat: Chat
) -> None:
    visitor = await chat.identity.recognise(ann.token)
    assert visitor
    await ann.say(slug, "hello")
    await ann.open("other")
    seen = [
        (await program.get(path)).text
        for program in (ann, bob)
        for path in (f"/rooms/{slug}", "/rooms", "/rooms/mine", f"/rooms/{slug}/messages")
    ]
    async with bob.listen(slug, after=0) as stream:
        events = [await stream.next(), await stream.next()]
    for told in (*seen, str(events)):
        assert ann.token not in told
        assert visitor.id not in told
    mine = (await ann.ask("GET", "/rooms/mine"))["items"]
    assert len({room["membership"]["author"] for room in mine}) == 2  # another in each room


async def test_a_flooded_site_poses_a_puzzle_that_a_program_can_solve(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_app(tmp_path, clock, puzzle_bits=4) as web, calling(web) as http:
        answer = await http.post("/visitors", json={"nickname": "Ann"})
        assert answer.status_code == 403
        assert answer.json()["type"] == "/api/v1/problems/puzzle-unsolved"
        puzzle = answer.json()["puzzle"]
        tries = (f"{puzzle['challenge']}:{number}" for number in count())
        solution = next(
            text for text in tries if sha256(text.encode()).digest()[0] < 2 ** (8 - puzzle["bits"])
        )
        answer = await http.post("/visitors", json={"nickname": "Ann", "solution": solution})
        assert answer.status_code == 201


async def test_busy_network_poses_a_puzzle_that_a_program_can_solve(
    tmp_path: Path, clock: FakeClock
) -> None:
    settings = {"arrivals_per_address": "1/1h"}
    async with running_app(tmp_path, clock, **settings) as web, calling(web) as http:
        assert (await http.post("/visitors", json={"nickname": "Ann"})).status_code == 201
        answer = await http.post("/visitors", json={"nickname": "Bob"})
        assert (answer.status_code, answer.json()["type"]) == (
            403,
            "/api/v1/problems/puzzle-unsolved",
        )
        puzzle = answer.json()["puzzle"]
        solution = solve(puzzle["challenge"], puzzle["bits"])
        answer = await http.post("/visitors", json={"nickname": "Bob", "solution": solution})
        assert answer.status_code == 201
