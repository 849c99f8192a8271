"""Finding rooms, making them, joining and leaving over HTTP."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from anonchat import Chat, RoomRead
from tests.api.program import Program
from tests.api.world import Settle, calling, running_app
from tests.fakes import Ear, FakeClock


async def test_a_new_room_is_created_and_joined(ann: Program) -> None:
    answer = await ann.call("POST", "/rooms", json={"name": " Night  Train "})
    assert answer.status_code == 201
    assert answer.json() == {
        "slug": "night-train",
        "name": "Night Train",
        "topic": "",
        "listed": True,
        "message_ttl": "1d",
        "room_ttl": "7d",
        "here": 0,
        "active_at": "2030-01-01T12:00:00Z",
        "expires_at": "2030-01-02T12:00:00Z",
        "members": 1,
        "membership": {
            "author": answer.json()["membership"]["author"],
            "nickname": "Ann",
            "owner": True,
        },
    }


async def test_a_room_that_exists_is_joined_and_stays_as_it_is(ann: Program, bob: Program) -> None:
    await ann.open("Night Train", topic="where to?", message_ttl="10m")
    for name in ("NIGHT TRAIN", "night-train"):  # its name, its address
        answer = await bob.call("POST", "/rooms", json={"name": name, "message_ttl": "1h"})
        assert answer.status_code == 200
        room = answer.json()
        assert (room["slug"], room["topic"], room["message_ttl"]) == (
            "night-train",
            "where to?",
            "10m",
        )
        assert (room["members"], room["membership"]["owner"]) == (2, False)


async def test_a_name_that_looks_like_that_of_a_public_room_is_refused(
    ann: Program, bob: Program
) -> None:
    await ann.open("room 1")
    answer = await bob.call("POST", "/rooms", json={"name": "room l"})
    assert (answer.status_code, answer.json()["type"]) == (
        409,
        "/api/v1/problems/room-name-taken",
    )
    assert answer.json()["detail"].endswith("looks the same: room 1")
    assert (await bob.call("POST", "/rooms", json={"name": "room l", "listed": False})).is_success


async def test_a_room_that_all_want_at_once_is_created_once(
    come_in: Settle, ann: Program, bob: Program
) -> None:
    programs = [ann, bob, await come_in("Cid")]
    answers = await asyncio.gather(
        *(program.call("POST", "/rooms", json={"name": "night train"}) for program in programs)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert {answer.json()["slug"] for answer in answers} == {"night-train"}
    assert (await ann.ask("GET", "/rooms/night-train"))["members"] == 3


async def test_a_room_takes_what_was_chosen_for_it(ann: Program) -> None:
    room = await ann.open(
        "secret club", listed=False, message_ttl="90s", room_ttl="48h", topic="psst"
    )
    assert room["listed"] is False
    assert (room["message_ttl"], room["room_ttl"], room["topic"]) == ("90s", "2d", "psst")
    assert len(room["slug"]) >= 27
    assert (await ann.ask("GET", "/rooms"))["items"] == []
    another = await ann.open("secret club", listed=False)
    assert another["slug"] != room["slug"]


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"name": ""}, "invalid-room"),
        ({"name": "x" * 61}, "invalid-room"),
        ({"name": "n\u0456ght"}, "invalid-room"),  # a Cyrillic letter
        ({"name": "a", "topic": "x" * 201}, "invalid-room"),
        ({"name": "a", "message_ttl": "1s"}, "invalid-room"),
        ({"name": "a", "message_ttl": "31d"}, "invalid-room"),
        ({"name": "a", "room_ttl": "91d"}, "invalid-room"),
        ({"name": "a", "message_ttl": "9999999999d"}, "invalid-request"),
        ({"name": "a", "message_ttl": "0s"}, "invalid-request"),
        ({"name": "a", "message_ttl": " 10m"}, "invalid-request"),
        ({"name": "a", "message_ttl": "PT10M"}, "invalid-request"),
        ({"name": "a", "message_ttl": 600}, "invalid-request"),
        ({"name": "a", "listed": "yes"}, "invalid-request"),
        ({"name": "a", "owner": "me"}, "invalid-request"),
        ({"topic": "a"}, "invalid-request"),
        ({"name": "a", "password": "swordfish"}, "not-supported"),
        ({"name": "a", "password": ""}, "not-supported"),
    ],
)
async def test_a_room_that_cannot_be_is_refused(
    ann: Program, sent: dict[str, Any], problem: str
) -> None:
    answer = await ann.call("POST", "/rooms", json=sent)
    assert (answer.status_code, answer.json()["type"]) == (422, f"/api/v1/problems/{problem}")
    assert (await ann.ask("GET", "/rooms"))["items"] == []


async def test_too_many_rooms_are_refused(tmp_path: Path, clock: FakeClock) -> None:
    async with running_app(tmp_path, clock, rooms_max=1) as web, calling(web) as http:
        visitor = await Program(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        ann = Program(http, visitor["token"])
        await ann.open("one")
        answer = await ann.call("POST", "/rooms", json={"name": "two"})
        assert (answer.status_code, answer.json()["type"]) == (
            429,
            "/api/v1/problems/limit-reached",
        )


async def test_who_calls_too_often_is_told_when_to_come_back(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        running_app(tmp_path, clock, calls_per_address="2/10s") as web,
        calling(web) as http,
    ):
        visitor = await Program(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        ann = Program(http, visitor["token"])
        for _ in range(2):
            await ann.ask("GET", "/rooms")
        answer = await ann.call("GET", "/rooms")
        assert (answer.status_code, answer.json()["type"]) == (429, "/api/v1/problems/too-often")
        assert answer.headers["Retry-After"] == "5"
        clock.move(timedelta(seconds=5))
        await ann.ask("GET", "/rooms")


async def test_strangers_of_a_network_use_up_nothing_of_a_visitor_there(
    tmp_path: Path, clock: FakeClock
) -> None:
    settings = {"calls_per_address": "12/1h", "work_per_visitor": "1000/1h"}
    async with running_app(tmp_path, clock, **settings) as web, calling(web) as http:
        visitor = await Program(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        ann, invented = Program(http, visitor["token"]), Program(http, "x" * 65)
        answers = [await invented.call("GET", "/rooms") for _ in range(20)]
        answers += [await http.get("/nowhere") for _ in range(20)]
        assert answers[0].status_code == 401
        assert {answer.status_code for answer in answers[20:]} == {429}
        for _ in range(12):
            await ann.ask("GET", "/rooms")
        assert (await ann.call("GET", "/rooms")).status_code == 429


async def test_visitor_who_uses_up_the_own_work_is_refused_and_others_are_not(
    tmp_path: Path, clock: FakeClock
) -> None:
    settings = {"work_per_visitor": "300/1h"}
    async with running_app(tmp_path, clock, **settings) as web, calling(web) as http:
        ann, bob = [
            Program(
                http,
                (await Program(http).ask("POST", "/visitors", json={"nickname": name}))["token"],
            )
            for name in ("Ann", "Bob")
        ]
        for program in (ann, bob):
            await program.open("night train")
        statuses = []
        while not statuses or statuses[-1] == 200:
            path = "/rooms/night-train/messages"
            answer = await ann.get(path, params={"limit": 200})
            statuses.append(answer.status_code)
        assert statuses[-1] == 429
        assert len(statuses) > 5
        await bob.say("night-train", "hello")


async def test_one_may_look_before_one_joins(ann: Program, bob: Program) -> None:
    created = await ann.open("night train")
    seen = await bob.ask("GET", "/rooms/night-train")
    assert seen == {**created, "membership": None}


async def test_joining_twice_and_leaving_twice_change_nothing(ann: Program, bob: Program) -> None:
    await ann.open("night train")
    path = "/rooms/night-train/membership"
    first = await bob.ask("PUT", path)
    assert first == {"author": first["author"], "nickname": "Bob", "owner": False}
    assert await bob.ask("PUT", path, json={}) == first
    assert (await bob.ask("GET", "/rooms/night-train"))["members"] == 2
    for _ in range(2):
        answer = await bob.call("DELETE", path)
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await bob.ask("GET", "/rooms/night-train"))["membership"] is None


async def test_a_password_is_not_ignored_when_joining(ann: Program, bob: Program) -> None:
    await ann.open("night train")
    answer = await bob.call("PUT", "/rooms/night-train/membership", json={"password": "x"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/api/v1/problems/not-supported")
    assert (await bob.ask("GET", "/rooms/night-train"))["membership"] is None


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", ""),
        ("PUT", "/membership"),
        ("DELETE", "/membership"),
        ("GET", "/messages"),
        ("POST", "/messages"),
        ("DELETE", "/messages/x"),
        ("GET", "/events"),
    ],
)
@pytest.mark.parametrize("slug", ["nowhere", "%00", "%F0%9F%9A%82", "a%2Fb", "a b", "x" * 3_000])
async def test_a_room_that_is_not_there_is_not_found(
    ann: Program, method: str, rest: str, slug: str
) -> None:
    sent = {"json": {"text": "hi"}} if method == "POST" else {}
    answer = await ann.call(method, f"/rooms/{slug}{rest}", **sent)
    assert (answer.status_code, answer.json()["type"]) == (404, "/api/v1/problems/not-found")


async def test_an_ended_room_is_not_found_although_nothing_was_purged(
    ann: Program, clock: FakeClock
) -> None:
    await ann.open("night train", room_ttl="1h")
    clock.move(timedelta(hours=1))
    assert (await ann.get("/rooms/night-train")).status_code == 404
    assert (await ann.ask("GET", "/rooms"))["items"] == []
    assert (await ann.ask("GET", "/rooms/mine"))["items"] == []


async def test_ones_own_rooms_come_with_what_is_unread(
    ann: Program, bob: Program, slug: str
) -> None:
    await ann.say(slug, "one", "two", "three")

    async def unread() -> int:
        (room,) = (await bob.ask("GET", "/rooms/mine"))["items"]
        assert (room["slug"], room["membership"]["nickname"]) == (slug, "Bob")
        return int(room["unread"])

    assert await unread() == 3
    await bob.read(slug, after=0, limit=1)
    assert await unread() == 2
    await bob.read(slug)
    assert await unread() == 0
    await bob.read(slug, before=2)  # looking back makes nothing unread again
    assert await unread() == 0
    await ann.say(slug, "four")
    async with bob.listen(slug, after=3) as stream:
        await stream.until("ready")
    assert await unread() == 0


async def test_looking_back_is_no_news_to_the_screens(
    ann: Program, bob: Program, slug: str, chat: Chat
) -> None:
    await ann.say(slug, "one", "two", "three")
    await bob.read(slug)
    await chat.memberships.write_read_marks()
    ear = Ear(chat)
    await bob.read(slug, before=3)
    assert ear.all(RoomRead) == []


async def test_public_rooms_are_paged_through_the_busiest_first(
    ann: Program, bob: Program, clock: FakeClock
) -> None:
    for number in range(7):
        await ann.open(f"room {number}")
        clock.move(timedelta(seconds=1))
    async with ann.listen("room-2") as stream:
        await stream.ready()
        names = await _page_through(bob, limit=3)
    assert names == [["room 2", "room 6", "room 5"], ["room 4", "room 3", "room 1"], ["room 0"]]


async def test_a_room_that_keeps_its_place_is_met_once_while_others_move(
    ann: Program, clock: FakeClock
) -> None:
    for number in range(6):
        await ann.open(f"room {number}")
        clock.move(timedelta(seconds=1))
    first = await ann.ask("GET", "/rooms", params={"limit": 3})
    await ann.say("room-0", "I am the liveliest now")
    await ann.open("brand new")
    clock.move(timedelta(seconds=1))
    second = await ann.ask("GET", "/rooms", params={"limit": 3, "cursor": first["next"]})
    assert [room["name"] for room in second["items"]] == ["room 2", "room 1"]
    assert second["next"] is None


async def test_searching_pages_through_what_matches_the_best_match_first(
    ann: Program, clock: FakeClock
) -> None:
    for name in ("midnight", "night", "Night Owls", "day"):
        await ann.open(name)
        clock.move(timedelta(seconds=1))
    assert await _page_through(ann, limit=2, query="NIGHT") == [
        ["night", "Night Owls"],
        ["midnight"],
    ]
    assert await _page_through(ann, query="nothing") == [[]]
    assert len((await _page_through(ann, query="  "))[0]) == 4


@pytest.mark.parametrize(
    "where",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": "many"},
        {"query": "x" * 201},
        {"cursor": "?"},
        {"cursor": ""},
        {"cursor": "x" * 500},
        {"cursor": "AAAA"},
        {"cursor": "W10"},  # []
        {"cursor": "MTA"},  # 10: a place in a search
        {"query": "x", "cursor": "WzEsMiwiYSJd"},  # [1,2,"a"]: a place in the whole list
        {"query": "x", "cursor": "LTE"},  # -1
    ],
)
async def test_a_list_that_cannot_be_is_refused(ann: Program, where: dict[str, Any]) -> None:
    answer = await ann.get("/rooms", params=where)
    assert (answer.status_code, answer.json()["type"]) == (422, "/api/v1/problems/invalid-request")


async def test_no_room_hides_the_list_of_ones_own(ann: Program, chat: Chat) -> None:
    room = await ann.open("mine")
    assert room["slug"] == "mine-2"
    assert (await ann.ask("GET", "/rooms/mine-2"))["name"] == "mine"


async def _page_through(program: Program, **where: Any) -> list[list[str]]:
    pages, cursor = [], None
    while not pages or cursor:
        page = await program.ask(
            "GET", "/rooms", params={**where, **({"cursor": cursor} if cursor else {})}
        )
        pages.append([room["name"] for room in page["items"]])
        cursor = page["next"]
    return pages
