"""Reading, posting and deleting messages over HTTP."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope

from anonchat import Chat, Post, Refused, Reviewed
from tests.api.api_client import ApiClient
from tests.api.apps import SignIn
from tests.fakes import FakeClock


async def test_posted_message_is_readable_by_every_member(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    response = await ann.call("POST", f"/rooms/{slug}/messages", json={"text": " Hi <b>all</b> "})
    assert response.status_code == 201
    message = response.json()
    assert message == {
        "id": message["id"],
        "seq": 1,
        "nickname": "Ann",
        "author": (await ann.ask("GET", f"/rooms/{slug}"))["membership"]["author"],
        "text": "Hi <b>all</b>",
        "posted_at": "2030-01-01T12:00:00Z",
        "expires_at": "2030-01-02T12:00:00Z",
        "kind": "",
        "html": None,
        "data": None,
        "reply_to": "",
        "mentions": [],
        "edited": False,
        "reactions": [],
        "once": False,
        "opened": 0,
        "revision": 0,
    }
    assert await bob.read(slug) == {"items": [message], "next": None}


async def test_message_of_a_kind_is_read_and_streamed_with_its_data(
    chat: Chat, ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    room = await chat.rooms.find(slug)
    author = (await ann.ask("GET", f"/rooms/{slug}"))["membership"]["author"]
    member = await chat.memberships.find_by_author(room.id, author)
    data: Any = {"rolled": [4, 2], "by": None}
    for _ in range(150):
        data = [data]
    async with bob.listen(slug) as stream:
        await stream.ready()
        await chat.messages.post(
            room.id, visitor_id=member.visitor_id, post=Post(kind="dice", data=data)
        )
        streamed = (await stream.until("message"))[-1].data
    (message,) = (await ann.read(slug, format="html"))["items"]
    assert message == streamed
    assert (message["kind"], message["data"]) == ("dice", data)
    assert message["text"].startswith("dice: [[[")


def without_html(streamed: Any) -> Any:
    """Return a streamed message as the other calls return it."""
    return {**streamed, "html": None}


async def test_reply_with_a_mention_and_its_own_lifetime_is_read_and_streamed(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    author = (await bob.ask("GET", f"/rooms/{slug}"))["membership"]["author"]
    (first,) = await bob.say(slug, "Who is here?")
    sent = {"text": "I am, @Bob", "reply_to": first["id"], "ttl": "10m"}
    async with bob.listen(slug) as stream:
        await stream.ready()
        answer = await ann.ask("POST", f"/rooms/{slug}/messages", json=sent)
        streamed = (await stream.until("message"))[-1].data
    assert answer == without_html(streamed) == (await bob.read(slug))["items"][-1]
    assert (answer["reply_to"], answer["mentions"]) == (first["id"], [author])
    assert answer["expires_at"] == "2030-01-01T12:10:00Z"


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"ttl": "25h"}, "invalid-message"),
        ({"ttl": "1s"}, "invalid-message"),
        ({"ttl": "36500d"}, "invalid-message"),
        ({"ttl": "soon"}, "invalid-request"),
        ({"reply_to": "no id"}, "invalid-request"),
        ({"reply_to": "x" * 65}, "invalid-request"),
        ({"reply_to": None}, "invalid-request"),
    ],
)
async def test_reply_to_no_id_and_lifetime_out_of_bounds_are_refused(
    ann: ApiClient, slug: str, sent: dict[str, Any], problem: str
) -> None:
    response = await ann.call("POST", f"/rooms/{slug}/messages", json={"text": "x", **sent})
    assert response.status_code == 422
    assert response.json()["type"] == f"/api/v1/problems/{problem}"


async def test_edited_message_is_read_and_streamed(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    (first, second) = await ann.say(slug, "helo", "all")
    path = f"/rooms/{slug}/messages/{first['id']}"
    async with bob.listen(slug) as stream:
        await stream.ready()
        edited = await ann.ask("PATCH", path, json={"text": "hello"})
        event = (await stream.until("edited"))[-1]
    changed = {**first, "text": "hello", "edited": True, "revision": 1}
    assert edited == without_html(event.data) == changed
    assert event.data["html"] == "hello"
    assert event.id is None
    assert (await bob.read(slug))["items"] == [edited, second]
    refused = await bob.call("PATCH", path, json={"text": "bye"})
    assert (refused.status_code, refused.json()["type"]) == (403, "/api/v1/problems/not-allowed")
    invalid = await ann.call("PATCH", path, json={"text": "x", "reply_to": "abc"})
    assert invalid.json()["type"] == "/api/v1/problems/invalid-request"
    await ann.ask("DELETE", path)
    gone = await ann.call("PATCH", path, json={"text": "again"})
    assert (gone.status_code, gone.json()["type"]) == (404, "/api/v1/problems/not-found")


async def test_reactions_are_read_and_streamed_with_those_of_the_reader(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    (message,) = await ann.say(slug, "hello")
    path = f"/rooms/{slug}/messages/{message['id']}/reactions"
    async with ann.listen(slug) as stream, bob.listen(slug) as other:
        for each in (stream, other):
            await each.ready()
        thumb = {"emoji": "👍", "count": 1, "mine": True}
        reacted = await bob.ask("PUT", f"{path}/👍")
        assert reacted == {**message, "reactions": [thumb], "revision": 1}
        assert without_html((await other.until("reacted"))[-1].data) == reacted
        not_mine = {**reacted, "reactions": [{**thumb, "mine": False}]}
        assert without_html((await stream.until("reacted"))[-1].data) == not_mine
        assert (await ann.read(slug))["items"] == [not_mine]
        assert (await bob.read(slug))["items"] == [reacted]
        assert await bob.ask("PUT", f"{path}/👍") == reacted
        assert (await ann.ask("PUT", f"{path}/%23%EF%B8%8F%E2%83%A3"))["reactions"][1] == {
            "emoji": "#️⃣",
            "count": 1,
            "mine": True,
        }
        without = await bob.ask("DELETE", f"{path}/👍")
        assert [each["emoji"] for each in without["reactions"]] == ["#️⃣"]
    invalid = await bob.call("PUT", f"{path}/hello")
    assert invalid.json()["type"] == "/api/v1/problems/invalid-message"
    absent = await bob.call("PUT", f"/rooms/{slug}/messages/absent/reactions/👍")
    assert absent.json()["type"] == "/api/v1/problems/not-found"


async def test_doubtful_edit_is_made_if_confirmed(chat: Chat, ann: ApiClient, slug: str) -> None:
    (message,) = await ann.say(slug, "hello")

    async def review(_room_id: str, _visitor_id: str, post: Post) -> Reviewed:
        return Reviewed(post, ("That looks like an address.",))

    chat.messages.review = review
    path, sent = f"/rooms/{slug}/messages/{message['id']}", {"text": "1 Main street"}
    response = await ann.call("PATCH", path, json={**sent, "confirmed": False})
    assert response.json()["type"] == "/api/v1/problems/needs-confirmation"
    assert (await ann.ask("PATCH", path, json=sent))["text"] == "1 Main street"


async def test_text_is_drawn_as_html_where_that_is_asked_for(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    text, html = (
        "**Hi** <b>\n||x||",
        '<strong>Hi</strong> &lt;b&gt;<br><span class="spoiler">x</span>',
    )
    async with bob.listen(slug) as stream:
        await stream.ready()
        (posted,) = await ann.say(slug, text)
        streamed = (await stream.until("message"))[-1].data
    (plain,) = (await bob.read(slug))["items"]
    (drawn,) = (await bob.read(slug, format="html"))["items"]
    assert posted == plain
    assert (plain["text"], plain["html"]) == (text, None)
    assert drawn == streamed == {**plain, "html": html}
    response = await bob.call("GET", f"/rooms/{slug}/messages", params={"format": "pdf"})
    assert response.status_code == 422


async def test_doubtful_message_is_posted_if_confirmed(
    chat: Chat, ann: ApiClient, slug: str
) -> None:
    async def review(_room_id: str, _visitor_id: str, post: Post) -> Reviewed:
        return Reviewed(post, ("That looks like an address.",))

    chat.messages.review = review
    path, sent = f"/rooms/{slug}/messages", {"text": "1 Main street", "dedup_id": "d1"}
    response = await ann.call("POST", path, json={**sent, "confirmed": False})
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "/api/v1/problems/needs-confirmation"
    assert problem["detail"] == "Send this anyway?"
    assert problem["warnings"] == ["That looks like an address."]
    assert (await ann.read(slug))["items"] == []
    for confirmed in ({"confirmed": True}, {}):
        response = await ann.call("POST", path, json={**sent, **confirmed})
        assert response.status_code == 201
    assert len((await ann.read(slug))["items"]) == 1


async def test_message_refused_by_a_review_is_a_problem(
    chat: Chat, ann: ApiClient, slug: str
) -> None:
    async def review(_room_id: str, _visitor_id: str, _post: Post) -> Reviewed:
        raise Refused("Please do not shout")

    chat.messages.review = review
    response = await ann.call("POST", f"/rooms/{slug}/messages", json={"text": "HELLO"})
    assert response.status_code == 422
    assert response.json()["type"] == "/api/v1/problems/refused"
    assert response.json()["detail"] == "Please do not shout"
    assert (await ann.read(slug))["items"] == []


async def test_concurrent_messages_are_numbered_without_gaps(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    responses = await asyncio.gather(
        *((ann, bob)[number % 2].say(slug, f"text {number}") for number in range(100))
    )
    assert sorted(message["seq"] for (message,) in responses) == list(range(1, 101))
    history = await ann.read(slug, after=0, limit=200)
    assert [message["seq"] for message in history["items"]] == list(range(1, 101))


async def test_repeated_dedup_id_returns_the_same_message(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    sent = {"json": {"text": "once", "dedup_id": "d1"}}
    path = f"/rooms/{slug}/messages"
    responses = await asyncio.gather(*(ann.call("POST", path, **sent) for _ in range(20)))
    responses.append(await ann.call("POST", path, **sent))
    assert {response.status_code for response in responses} == {201}
    assert len({response.text for response in responses}) == 1
    assert (await bob.ask("POST", path, **sent))["id"] != responses[0].json()["id"]
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
        ({"text": "x", "confirmed": "no"}, "invalid-request"),
        ({"text": "x", "kind": "dice"}, "invalid-request"),
    ],
)
async def test_invalid_message_is_refused_and_not_stored(
    ann: ApiClient, slug: str, sent: dict[str, Any], problem: str
) -> None:
    response = await ann.call("POST", f"/rooms/{slug}/messages", json=sent)
    assert (response.status_code, response.json()["type"]) == (422, f"/api/v1/problems/{problem}")
    assert (await ann.read(slug))["items"] == []


async def test_non_members_and_former_members_are_refused(
    ann: ApiClient, bob: ApiClient, slug: str, sign_in: SignIn
) -> None:
    retried = {"json": {"text": "mine", "dedup_id": "d1"}}
    message = await bob.ask("POST", f"/rooms/{slug}/messages", **retried)
    await bob.ask("DELETE", f"/rooms/{slug}/membership")
    for program in (bob, await sign_in("Cid")):
        response = await program.call("POST", f"/rooms/{slug}/messages", **retried)
        assert response.status_code == 403, "a retry needs a membership too"
        for method, rest in (
            ("GET", "/messages"),
            ("POST", "/messages"),
            ("DELETE", f"/messages/{message['id']}"),
            ("DELETE", "/messages/nothing"),
            ("GET", "/events"),
        ):
            sent = {"json": {"text": "hi"}} if method == "POST" else {}
            response = await program.call(method, f"/rooms/{slug}{rest}", **sent)
            assert (response.status_code, response.json()["type"]) == (
                403,
                "/api/v1/problems/not-a-member",
            )
    assert len((await ann.read(slug))["items"]) == 1


async def test_history_is_paged_forwards_and_backwards(ann: ApiClient, slug: str) -> None:
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
async def test_invalid_history_query_is_refused(
    ann: ApiClient, slug: str, where: dict[str, object]
) -> None:
    response = await ann.get(f"/rooms/{slug}/messages", params=where)
    assert (response.status_code, response.json()["type"]) == (
        422,
        "/api/v1/problems/invalid-request",
    )


async def test_expired_message_is_not_readable_before_the_purge(
    ann: ApiClient, slug: str, clock: FakeClock
) -> None:
    await ann.say(slug, "one")
    clock.advance(timedelta(hours=1))
    await ann.say(slug, "two")
    clock.advance(timedelta(hours=23))
    assert [message["text"] for message in (await ann.read(slug))["items"]] == ["two"]
    async with ann.listen(slug, after=0) as stream:
        assert [event.id for event in await stream.until("ready")] == [2, 2]


async def test_dedup_id_of_an_expired_message_posts_nothing(
    ann: ApiClient, slug: str, clock: FakeClock
) -> None:
    sent = {"json": {"text": "once", "dedup_id": "d1"}}
    path = f"/rooms/{slug}/messages"
    await ann.ask("POST", path, **sent)
    clock.advance(timedelta(days=1))
    response = await ann.call("POST", path, **sent)
    assert (response.status_code, response.json()["type"]) == (
        410,
        "/api/v1/problems/message-expired",
    )
    assert (await ann.read(slug))["items"] == []


async def test_only_author_and_owner_can_delete_a_message(
    ann: ApiClient, bob: ApiClient, slug: str, sign_in: SignIn
) -> None:
    cid = await sign_in("Cid")
    await cid.ask("PUT", f"/rooms/{slug}/membership")
    messages = await bob.say(slug, "one", "two", "three")
    paths = [f"/rooms/{slug}/messages/{message['id']}" for message in messages]
    response = await cid.call("DELETE", paths[0])
    assert (response.status_code, response.json()["type"]) == (403, "/api/v1/problems/not-allowed")
    for program, path in ((bob, paths[0]), (ann, paths[1])):
        response = await program.call("DELETE", path)
        assert (response.status_code, response.content) == (204, b"")
        response = await program.call("DELETE", path)
        assert (response.status_code, response.json()["type"]) == (
            404,
            "/api/v1/problems/not-found",
        )
    assert [message["text"] for message in (await cid.read(slug))["items"]] == ["three"]


async def test_message_cannot_be_deleted_through_another_room(
    ann: ApiClient, bob: ApiClient
) -> None:
    await ann.open("one")
    (message,) = await ann.say("one", "hello")
    await bob.open("two")
    await bob.open("one")
    response = await bob.call("DELETE", f"/rooms/two/messages/{message['id']}")
    assert response.status_code == 404
    assert len((await ann.read("one"))["items"]) == 1


async def test_api_and_pages_share_rooms_and_message_order(
    ann: ApiClient, slug: str, chat: Chat
) -> None:
    visitor, _ = await chat.identity.sign_in("Browser")
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


async def test_call_whose_client_has_disconnected_reads_nothing(
    web: FastAPI, ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    await bob.call("PUT", f"/rooms/{slug}/membership")
    await ann.say(slug, "one")
    sent: list[Any] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    path = f"/api/v1/rooms/{slug}/messages"
    headers = [(b"host", b"test"), (b"authorization", f"Bearer {bob.token}".encode())]
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("192.0.2.1", 1),
    }
    await web(scope, receive, send)
    (room,) = (await bob.ask("GET", "/rooms/mine"))["items"]
    assert room["unread"] == 1
    assert sum(len(message.get("body", b"")) for message in sent) == 0
