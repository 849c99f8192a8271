"""Reading, posting and deleting messages over HTTP."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from anonchat import Chat
from tests.api.program import Program
from tests.api.world import Settle
from tests.fakes import FakeClock


async def test_what_was_posted_is_read_by_every_member(
    ann: Program, bob: Program, slug: str
) -> None:
    answer = await ann.call("POST", f"/rooms/{slug}/messages", json={"text": " Hi <b>all</b> "})
    assert answer.status_code == 201
    message = answer.json()
    assert message == {
        "id": message["id"],
        "seq": 1,
        "nickname": "Ann",
        "author": (await ann.ask("GET", f"/rooms/{slug}"))["membership"]["author"],
        "text": "Hi <b>all</b>",
        "posted_at": "2030-01-01T12:00:00Z",
        "expires_at": "2030-01-02T12:00:00Z",
    }
    assert await bob.read(slug) == {"items": [message], "next": None}


async def test_messages_posted_at_once_are_numbered_without_gaps(
    ann: Program, bob: Program, slug: str
) -> None:
    answers = await asyncio.gather(
        *((ann, bob)[number % 2].say(slug, f"text {number}") for number in range(100))
    )
    assert sorted(message["seq"] for (message,) in answers) == list(range(1, 101))
    history = await ann.read(slug, after=0, limit=200)
    assert [message["seq"] for message in history["items"]] == list(range(1, 101))


async def test_the_same_dedup_id_gives_the_same_message_however_often_and_at_once(
    ann: Program, bob: Program, slug: str
) -> None:
    sent = {"json": {"text": "once", "dedup_id": "d1"}}
    path = f"/rooms/{slug}/messages"
    answers = await asyncio.gather(*(ann.call("POST", path, **sent) for _ in range(20)))
    answers.append(await ann.call("POST", path, **sent))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert (await bob.ask("POST", path, **sent))["id"] != answers[0].json()["id"]
    assert [message["nickname"] for message in (await bob.read(slug))["items"]] == ["Ann", "Bob"]


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"text": ""}, "invalid-message"),
        ({"text": " \u200b "}, "invalid-message"),
        ({"text": "x" * 4_001}, "invalid-message"),
        ({"text": "x\n" * 201}, "invalid-message"),
        ({"text": None}, "invalid-request"),
        ({"text": 7}, "invalid-request"),
        ({"text": {"a": 1}}, "invalid-request"),
        ({}, "invalid-request"),
        ({"text": "x", "dedup_id": ""}, "invalid-request"),
        ({"text": "x", "dedup_id": "a b"}, "invalid-request"),
        ({"text": "x", "dedup_id": "x" * 65}, "invalid-request"),
        ({"text": "x", "dedup_id": 7}, "invalid-request"),
        ({"text": "x", "author": "me"}, "invalid-request"),
    ],
)
async def test_what_cannot_be_posted_is_refused_and_read_by_nobody(
    ann: Program, slug: str, sent: dict[str, Any], problem: str
) -> None:
    answer = await ann.call("POST", f"/rooms/{slug}/messages", json=sent)
    assert (answer.status_code, answer.json()["type"]) == (422, f"/api/v1/problems/{problem}")
    assert (await ann.read(slug))["items"] == []


async def test_strangers_and_former_members_may_do_nothing(
    ann: Program, bob: Program, slug: str, come_in: Settle
) -> None:
    retried = {"json": {"text": "mine", "dedup_id": "d1"}}
    message = await bob.ask("POST", f"/rooms/{slug}/messages", **retried)
    await bob.ask("DELETE", f"/rooms/{slug}/membership")
    for program in (bob, await come_in("Cid")):
        answer = await program.call("POST", f"/rooms/{slug}/messages", **retried)
        assert answer.status_code == 403, "a retry is a post like any other"
        for method, rest in (
            ("GET", "/messages"),
            ("POST", "/messages"),
            ("DELETE", f"/messages/{message['id']}"),
            ("DELETE", "/messages/nothing"),
            ("GET", "/events"),
        ):
            sent = {"json": {"text": "hi"}} if method == "POST" else {}
            answer = await program.call(method, f"/rooms/{slug}{rest}", **sent)
            assert (answer.status_code, answer.json()["type"]) == (
                403,
                "/api/v1/problems/not-a-member",
            )
    assert len((await ann.read(slug))["items"]) == 1


async def test_history_is_paged_forwards_and_backwards(ann: Program, slug: str) -> None:
    await ann.say(slug, *(str(number) for number in range(1, 11)))

    async def pages(**where: int) -> list[list[int]]:
        found, page = [], await ann.read(slug, **where)
        while True:
            found.append([message["seq"] for message in page["items"]])
            if page["next"] is None:
                return found
            page = await ann.read(slug, limit=where["limit"], cursor=page["next"])

    assert await pages(limit=4) == [[7, 8, 9, 10], [3, 4, 5, 6], [1, 2]]
    assert await pages(limit=4, before=7) == [[3, 4, 5, 6], [1, 2]]
    assert await pages(limit=4, after=0) == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert await pages(limit=5, after=5) == [[6, 7, 8, 9, 10]]
    assert await pages(limit=2, after=4, before=8) == [[5, 6], [7]]
    assert await pages(limit=5, after=10) == [[]]
    assert await pages(limit=5, before=0) == [[]]
    assert await pages(limit=5, after=2**53 - 1) == [[]]


@pytest.mark.parametrize(
    "where",
    [
        {"after": -1},
        {"after": 2**53},
        {"after": "x"},
        {"before": -1},
        {"limit": 0},
        {"limit": 201},
        {"cursor": "AAAA"},
        {"cursor": "WzFd"},  # [1]
        {"cursor": "Wy0xLG51bGxd"},  # [-1,null]
        {"cursor": "WzFlOTksbnVsbF0"},  # [1e99,null]
    ],
)
async def test_history_that_cannot_be_is_refused(
    ann: Program, slug: str, where: dict[str, object]
) -> None:
    answer = await ann.get(f"/rooms/{slug}/messages", params=where)
    assert (answer.status_code, answer.json()["type"]) == (422, "/api/v1/problems/invalid-request")


async def test_the_expired_is_never_read_although_nothing_was_purged(
    ann: Program, slug: str, clock: FakeClock
) -> None:
    await ann.say(slug, "one")
    clock.move(timedelta(hours=1))
    await ann.say(slug, "two")
    clock.move(timedelta(hours=23))
    assert [message["text"] for message in (await ann.read(slug))["items"]] == ["two"]
    async with ann.listen(slug, after=0) as stream:
        assert [event.id for event in await stream.until("ready")] == [2, 2]


async def test_the_dedup_id_of_an_expired_message_posts_nothing(
    ann: Program, slug: str, clock: FakeClock
) -> None:
    sent = {"json": {"text": "once", "dedup_id": "d1"}}
    path = f"/rooms/{slug}/messages"
    await ann.ask("POST", path, **sent)
    clock.move(timedelta(days=1))
    answer = await ann.call("POST", path, **sent)
    assert (answer.status_code, answer.json()["type"]) == (410, "/api/v1/problems/message-expired")
    assert (await ann.read(slug))["items"] == []


async def test_the_author_and_the_owner_may_delete_and_others_may_not(
    ann: Program, bob: Program, slug: str, come_in: Settle
) -> None:
    cid = await come_in("Cid")
    await cid.ask("PUT", f"/rooms/{slug}/membership")
    messages = await bob.say(slug, "one", "two", "three")
    paths = [f"/rooms/{slug}/messages/{message['id']}" for message in messages]
    answer = await cid.call("DELETE", paths[0])
    assert (answer.status_code, answer.json()["type"]) == (403, "/api/v1/problems/not-allowed")
    for program, path in ((bob, paths[0]), (ann, paths[1])):
        answer = await program.call("DELETE", path)
        assert (answer.status_code, answer.content) == (204, b"")
        answer = await program.call("DELETE", path)
        assert (answer.status_code, answer.json()["type"]) == (404, "/api/v1/problems/not-found")
    assert [message["text"] for message in (await cid.read(slug))["items"]] == ["three"]


async def test_a_message_cannot_be_deleted_through_another_room(ann: Program, bob: Program) -> None:
    await ann.open("one")
    (message,) = await ann.say("one", "hello")
    await bob.open("two")
    await bob.open("one")
    answer = await bob.call("DELETE", f"/rooms/two/messages/{message['id']}")
    assert answer.status_code == 404
    assert len((await ann.read("one"))["items"]) == 1


async def test_api_and_screens_share_one_room_and_one_order(
    ann: Program, slug: str, chat: Chat
) -> None:
    visitor, _ = await chat.identity.come_in("Browser")
    room = await chat.rooms.find(slug)
    await chat.memberships.join(room.id, visitor_id=visitor.id)
    await asyncio.gather(
        *(ann.say(slug, "from the API") for _ in range(10)),
        *(
            chat.messages.post(room.id, visitor_id=visitor.id, text="from a screen")
            for _ in range(10)
        ),
    )
    history = await ann.read(slug, after=0)
    assert [message["seq"] for message in history["items"]] == list(range(1, 21))
    assert {message["nickname"] for message in history["items"]} == {"Ann", "Browser"}
