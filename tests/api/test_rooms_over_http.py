"""Finding, creating, joining and leaving rooms over HTTP."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from anonchat import Chat, RoomRead
from tests.api.api_client import ApiClient
from tests.api.apps import SignIn, api_client, running_app
from tests.effort import MOST, longest_step
from tests.fakes import EventRecorder, FakeClock


async def test_new_room_is_created_and_joined(ann: ApiClient) -> None:
    response = await ann.call("POST", "/rooms", json={"name": " Night  Train "})
    assert response.status_code == 201
    assert response.json() == {
        "slug": "night-train",
        "name": "Night Train",
        "topic": "",
        "listed": True,
        "has_password": False,
        "locked": False,
        "asks": False,
        "members_max": 0,
        "paused": False,
        "slow_mode": "0s",
        "unwanted": [],
        "message_ttl": "1d",
        "room_ttl": "7d",
        "here": 0,
        "active_at": "2030-01-01T12:00:00Z",
        "expires_at": "2030-01-02T12:00:00Z",
        "members": 1,
        "membership": {
            "author": response.json()["membership"]["author"],
            "nickname": "Ann",
            "owner": True,
            "role": "owner",
        },
    }


async def test_existing_room_is_joined_unchanged(ann: ApiClient, bob: ApiClient) -> None:
    await ann.open("Night Train", topic="where to?", message_ttl="10m")
    for name in ("NIGHT TRAIN", "night-train"):  # its name, its slug
        response = await bob.call("POST", "/rooms", json={"name": name, "message_ttl": "1h"})
        assert response.status_code == 200
        room = response.json()
        assert (room["slug"], room["topic"], room["message_ttl"]) == (
            "night-train",
            "where to?",
            "10m",
        )
        assert (room["members"], room["membership"]["owner"]) == (2, False)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/rooms?limit=200", "/rooms?query=train&limit=200"])
async def test_longest_list_of_rooms_does_not_block_the_event_loop(
    ann: ApiClient, chat: Chat, path: str
) -> None:
    room = await chat.rooms.find((await ann.open("Night Train"))["slug"])
    for number in range(200):
        chat.room_directory._rooms[str(number)] = room
        chat.room_directory._names[str(number)] = f"train {number}"

    async def read() -> None:
        assert len((await ann.ask("GET", path))["items"]) == 200

    assert await longest_step(read) < MOST / 2


async def test_room_name_that_resembles_a_public_room_is_refused(
    ann: ApiClient, bob: ApiClient
) -> None:
    await ann.open("room 1")
    response = await bob.call("POST", "/rooms", json={"name": "room l"})
    assert (response.status_code, response.json()["type"]) == (
        409,
        "/api/v1/problems/room-name-taken",
    )
    assert response.json()["detail"].endswith("looks the same: room 1")
    assert (await bob.call("POST", "/rooms", json={"name": "room l", "listed": False})).is_success


async def test_room_requested_concurrently_is_created_once(
    sign_in: SignIn, ann: ApiClient, bob: ApiClient
) -> None:
    programs = [ann, bob, await sign_in("Cid")]
    responses = await asyncio.gather(
        *(program.call("POST", "/rooms", json={"name": "night train"}) for program in programs)
    )
    assert sorted(response.status_code for response in responses) == [200, 200, 201]
    assert {response.json()["slug"] for response in responses} == {"night-train"}
    assert (await ann.ask("GET", "/rooms/night-train"))["members"] == 3


async def test_new_room_has_the_chosen_settings(ann: ApiClient) -> None:
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
        ({"name": "a", "password": "x" * 201}, "invalid-room"),
        ({"name": "a", "password": None}, "invalid-request"),
    ],
)
async def test_invalid_room_is_refused(ann: ApiClient, sent: dict[str, Any], problem: str) -> None:
    response = await ann.call("POST", "/rooms", json=sent)
    assert (response.status_code, response.json()["type"]) == (422, f"/api/v1/problems/{problem}")
    assert (await ann.ask("GET", "/rooms"))["items"] == []


async def test_owner_changes_a_room(ann: ApiClient, bob: ApiClient) -> None:
    before = await ann.open("Night Train", topic="where to?")
    changes = {"name": "Day Train", "topic": "home", "message_ttl": "60s", "room_ttl": "12h"}
    changed = await ann.ask("PATCH", "/rooms/night-train", json=changes)
    assert changed == before | changes | {
        "message_ttl": "1m",
        "expires_at": "2030-01-02T00:00:00Z",
    }
    assert await ann.ask("PATCH", "/rooms/night-train", json={"topic": ""}) == changed | {
        "topic": ""
    }
    assert (await bob.open("day train"))["slug"] == "night-train"


async def test_owner_changes_the_rules_of_a_room(ann: ApiClient, bob: ApiClient) -> None:
    before = await ann.open("Night Train")
    rules = {
        "listed": False,
        "locked": True,
        "asks": True,
        "members_max": 20,
        "paused": True,
        "slow_mode": "90s",
        "unwanted": ["casino", "free money"],
    }
    changed = await ann.ask("PATCH", "/rooms/night-train", json=rules)
    assert changed == before | rules
    assert await ann.ask("GET", "/rooms/night-train") == changed
    assert (await bob.ask("GET", "/rooms"))["items"] == []
    seen = await bob.ask("GET", "/rooms/night-train")
    assert seen == changed | {"unwanted": None, "membership": None}
    undone = {"listed": True, "locked": False, "asks": False, "members_max": 0, "paused": False}
    undone |= {"slow_mode": "0s", "unwanted": []}
    assert await ann.ask("PATCH", "/rooms/night-train", json=undone) == before
    assert [each["slug"] for each in (await bob.ask("GET", "/rooms"))["items"]] == ["night-train"]


@pytest.mark.parametrize(
    ("sent", "status", "problem"),
    [
        ({"name": ""}, 422, "invalid-room"),
        ({"topic": "x" * 201}, 422, "invalid-room"),
        ({"message_ttl": "1s"}, 422, "invalid-room"),
        ({"room_ttl": "1h"}, 422, "invalid-room"),  # shorter than the lifetime of messages
        ({"message_ttl": "0s"}, 422, "invalid-request"),
        ({"name": 1}, 422, "invalid-request"),
        ({"slug": "day-train"}, 422, "invalid-request"),
        ({"listed": "no"}, 422, "invalid-request"),
        ({"owner": "me"}, 422, "invalid-request"),
        ({"members_max": 1}, 422, "invalid-room"),
        ({"members_max": 501}, 422, "invalid-room"),
        ({"members_max": -1}, 422, "invalid-request"),
        ({"slow_mode": "2h"}, 422, "invalid-room"),
        ({"slow_mode": "0m"}, 422, "invalid-request"),
        ({"slow_mode": "99999999999d"}, 422, "invalid-request"),
        ({"slow_mode": "9999999999d"}, 422, "invalid-request"),
        ({"unwanted": ["x" * 61]}, 422, "invalid-room"),
        ({"unwanted": [f"{number}" for number in range(101)]}, 422, "invalid-room"),
        ({"unwanted": "casino"}, 422, "invalid-request"),
        ({"locked": 1}, 422, "invalid-request"),
        ({"name": "room l"}, 409, "room-name-taken"),
    ],
)
async def test_invalid_change_of_a_room_is_refused(
    ann: ApiClient, bob: ApiClient, sent: dict[str, Any], status: int, problem: str
) -> None:
    await bob.open("room 1")
    before = await ann.open("Night Train")
    response = await ann.call("PATCH", "/rooms/night-train", json=sent)
    assert (response.status_code, response.json()["type"]) == (
        status,
        f"/api/v1/problems/{problem}",
    )
    assert await ann.ask("GET", "/rooms/night-train") == before


async def test_room_of_another_visitor_cannot_be_changed(ann: ApiClient, bob: ApiClient) -> None:
    await ann.open("Night Train")
    for problem in ("not-a-member", "not-allowed"):
        response = await bob.call("PATCH", "/rooms/night-train", json={"topic": "mine"})
        assert (response.status_code, response.json()["type"]) == (
            403,
            f"/api/v1/problems/{problem}",
        )
        await bob.open("Night Train")


async def test_rooms_are_limited_in_total(tmp_path: Path, clock: FakeClock) -> None:
    async with running_app(tmp_path, clock, rooms_max=1) as web, api_client(web) as http:
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        ann = ApiClient(http, visitor["token"])
        await ann.open("one")
        response = await ann.call("POST", "/rooms", json={"name": "two"})
        assert (response.status_code, response.json()["type"]) == (
            429,
            "/api/v1/problems/limit-reached",
        )


async def test_client_over_the_call_limit_gets_retry_after(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        running_app(tmp_path, clock, api_calls_per_ip="2/10s") as web,
        api_client(web) as http,
    ):
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        ann = ApiClient(http, visitor["token"])
        for _ in range(2):
            await ann.ask("GET", "/rooms")
        response = await ann.call("GET", "/rooms")
        assert (response.status_code, response.json()["type"]) == (
            429,
            "/api/v1/problems/too-often",
        )
        assert response.headers["Retry-After"] == "5"
        clock.advance(timedelta(seconds=5))
        await ann.ask("GET", "/rooms")


async def test_anonymous_calls_of_a_network_do_not_use_a_visitors_limit(
    tmp_path: Path, clock: FakeClock
) -> None:
    settings = {"api_calls_per_ip": "12/1h", "work_per_visitor": "1000/1h"}
    async with running_app(tmp_path, clock, **settings) as web, api_client(web) as http:
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        ann, invented = ApiClient(http, visitor["token"]), ApiClient(http, "x" * 65)
        responses = [await invented.call("GET", "/rooms") for _ in range(20)]
        responses += [await http.get("/nowhere") for _ in range(20)]
        assert responses[0].status_code == 401
        assert {response.status_code for response in responses[20:]} == {429}
        for _ in range(12):
            await ann.ask("GET", "/rooms")
        assert (await ann.call("GET", "/rooms")).status_code == 429


async def test_only_the_visitor_over_the_work_budget_is_refused(
    tmp_path: Path, clock: FakeClock
) -> None:
    settings = {"work_per_visitor": "300/1h"}
    async with running_app(tmp_path, clock, **settings) as web, api_client(web) as http:
        ann, bob = [
            ApiClient(
                http,
                (await ApiClient(http).ask("POST", "/visitors", json={"nickname": name}))["token"],
            )
            for name in ("Ann", "Bob")
        ]
        for program in (ann, bob):
            await program.open("night train")
        statuses = []
        while not statuses or statuses[-1] == 200:
            path = "/rooms/night-train/messages"
            response = await ann.get(path, params={"limit": 200})
            statuses.append(response.status_code)
        assert statuses[-1] == 429
        assert len(statuses) > 5
        await bob.say("night-train", "hello")


async def test_room_can_be_viewed_before_joining(ann: ApiClient, bob: ApiClient) -> None:
    created = await ann.open("night train")
    seen = await bob.ask("GET", "/rooms/night-train")
    assert seen == {**created, "membership": None, "unwanted": None}


async def test_join_and_leave_are_idempotent(ann: ApiClient, bob: ApiClient) -> None:
    await ann.open("night train")
    path = "/rooms/night-train/membership"
    first = await bob.ask("PUT", path)
    assert first == {"author": first["author"], "nickname": "Bob", "owner": False, "role": "member"}
    assert await bob.ask("PUT", path, json={}) == first
    assert (await bob.ask("GET", "/rooms/night-train"))["members"] == 2
    for _ in range(2):
        response = await bob.call("DELETE", path)
        assert (response.status_code, response.content) == (204, b"")
    assert (await bob.ask("GET", "/rooms/night-train"))["membership"] is None


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("PUT", "/membership"),
        ("DELETE", "/membership"),
        ("GET", "/messages"),
        ("POST", "/messages"),
        ("DELETE", "/messages/x"),
        ("GET", "/events"),
    ],
)
@pytest.mark.parametrize("slug", ["nowhere", "%00", "%F0%9F%9A%82", "a%2Fb", "a b", "x" * 3_000])
async def test_unknown_room_is_not_found(ann: ApiClient, method: str, rest: str, slug: str) -> None:
    bodies = {"POST": {"text": "hi"}, "PATCH": {"topic": "hi"}}
    sent = {"json": bodies[method]} if method in bodies else {}
    response = await ann.call(method, f"/rooms/{slug}{rest}", **sent)
    assert (response.status_code, response.json()["type"]) == (404, "/api/v1/problems/not-found")


async def test_expired_room_is_not_found_before_the_purge(ann: ApiClient, clock: FakeClock) -> None:
    await ann.open("night train", room_ttl="1h")
    clock.advance(timedelta(hours=1))
    assert (await ann.get("/rooms/night-train")).status_code == 404
    assert (await ann.ask("GET", "/rooms"))["items"] == []
    assert (await ann.ask("GET", "/rooms/mine"))["items"] == []


async def test_own_rooms_include_unread_counts(ann: ApiClient, bob: ApiClient, slug: str) -> None:
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
    await bob.read(slug, before=2)  # reading older messages does not change the count
    assert await unread() == 0
    await ann.say(slug, "four")
    async with bob.listen(slug, after=3) as stream:
        await stream.until("ready")
    assert await unread() == 0


async def test_reading_older_messages_publishes_no_read_event(
    ann: ApiClient, bob: ApiClient, slug: str, chat: Chat
) -> None:
    await ann.say(slug, "one", "two", "three")
    await bob.read(slug)
    await chat.memberships.write_read_marks()
    recorder = EventRecorder(chat)
    await bob.read(slug, before=3)
    assert recorder.of_type(RoomRead) == []


async def test_public_rooms_are_paged_busiest_first(
    ann: ApiClient, bob: ApiClient, clock: FakeClock
) -> None:
    for number in range(7):
        await ann.open(f"room {number}")
        clock.advance(timedelta(seconds=1))
    async with ann.listen("room-2") as stream:
        await stream.ready()
        names = await _page_through(bob, limit=3)
    assert names == [["room 2", "room 6", "room 5"], ["room 4", "room 3", "room 1"], ["room 0"]]


async def test_paging_returns_unmoved_rooms_once_while_others_move(
    ann: ApiClient, clock: FakeClock
) -> None:
    for number in range(6):
        await ann.open(f"room {number}")
        clock.advance(timedelta(seconds=1))
    first = await ann.ask("GET", "/rooms", params={"limit": 3})
    await ann.say("room-0", "I am the liveliest now")
    await ann.open("brand new")
    clock.advance(timedelta(seconds=1))
    second = await ann.ask("GET", "/rooms", params={"limit": 3, "cursor": first["next"]})
    assert [room["name"] for room in second["items"]] == ["room 2", "room 1"]
    assert second["next"] is None


async def test_search_is_paged_best_match_first(ann: ApiClient, clock: FakeClock) -> None:
    for name in ("midnight", "night", "Night Owls", "day"):
        await ann.open(name)
        clock.advance(timedelta(seconds=1))
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
        {"cursor": "MTA"},  # 10: a cursor of a search
        {"query": "x", "cursor": "WzEsMiwiYSJd"},  # [1,2,"a"]: a cursor of the whole list
        {"query": "x", "cursor": "LTE"},  # -1
    ],
)
async def test_invalid_list_query_is_refused(ann: ApiClient, where: dict[str, Any]) -> None:
    response = await ann.get("/rooms", params=where)
    assert (response.status_code, response.json()["type"]) == (
        422,
        "/api/v1/problems/invalid-request",
    )


async def test_room_named_mine_does_not_hide_the_list_of_own_rooms(
    ann: ApiClient, chat: Chat
) -> None:
    room = await ann.open("mine")
    assert room["slug"] == "mine-2"
    assert (await ann.ask("GET", "/rooms/mine-2"))["name"] == "mine"


async def _page_through(program: ApiClient, **where: Any) -> list[list[str]]:
    pages, cursor = [], None
    while not pages or cursor:
        page = await program.ask(
            "GET", "/rooms", params={**where, **({"cursor": cursor} if cursor else {})}
        )
        pages.append([room["name"] for room in page["items"]])
        cursor = page["next"]
    return pages
