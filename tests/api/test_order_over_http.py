"""Keeping order in a room over HTTP: roles, mutes, removals and bans, and who is refused."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.api.api_client import ApiClient
from tests.api.apps import SignIn
from tests.fakes import FakeClock

MUTED_UNTIL = "2030-01-01T12:10:00Z"


@dataclass
class Place:
    """A room: Ann owns it, Bob helps, Cid and Dan are ordinary members; Eve is a stranger."""

    slug: str
    people: dict[str, ApiClient]
    authors: dict[str, str]

    async def act(self, by: str, method: str, on: str, what: str = "", **options: object) -> int:
        """Act on a member; return the status, and fail unless refusals are problem documents."""
        path = f"/rooms/{self.slug}/members/{self.authors[on]}{what}"
        response = await self.people[by].call(method, path, **options)
        if response.is_error:
            assert response.headers["content-type"] == "application/problem+json"
        return response.status_code

    async def refusal(self, by: str, method: str, path: str, **options: object) -> tuple[int, str]:
        """Return the status and the type of the problem that a call is answered with."""
        response = await self.people[by].call(method, f"/rooms/{self.slug}{path}", **options)
        assert response.is_error, response.text
        return response.status_code, response.json()["type"].rpartition("/")[2]

    async def members(self) -> list[tuple[str, str, str | None]]:
        """Return the members as Ann sees them: nickname, role, and until when they are muted."""
        page = await self.people["Ann"].ask("GET", f"/rooms/{self.slug}/members")
        return [(each["nickname"], each["role"], each["muted_until"]) for each in page["items"]]


@pytest.fixture
async def place(sign_in: SignIn) -> Place:
    """Return the room."""
    people = {name: await sign_in(name) for name in ("Ann", "Bob", "Cid", "Dan", "Eve")}
    room = await people["Ann"].open("night train")
    authors = {"Ann": room["membership"]["author"], "Eve": "0123456789abcdef01"}
    for name in ("Bob", "Cid", "Dan"):
        joined = await people[name].ask("PUT", f"/rooms/{room['slug']}/membership")
        authors[name] = joined["author"]
    place = Place(room["slug"], people, authors)
    assert await place.act("Ann", "PUT", "Bob", "/role", json={"role": "helper"}) == 200
    return place


ACTS = [
    ("PUT", "/role", {"role": "helper"}),
    ("PUT", "/mute", {"duration": "10m"}),
    ("PUT", "/mute", None),
    ("DELETE", "/mute", None),
    ("DELETE", "", None),
    ("DELETE", "/messages", None),
    ("PUT", "/ban", None),
    ("DELETE", "/ban", None),
]


@pytest.mark.parametrize(("method", "what", "body"), ACTS)
async def test_members_strangers_former_removed_and_banned_ones_are_refused(
    place: Place, method: str, what: str, body: object
) -> None:
    await place.people["Ann"].say(place.slug, "mine")
    path = f"/members/{place.authors['Dan']}{what}"
    refused = await place.refusal("Cid", method, path, json=body)
    assert refused == (403, "not-allowed")
    assert await place.refusal("Eve", method, path, json=body) == (403, "not-a-member")
    await place.act("Ann", "PUT", "Cid", "/mute")
    assert await place.refusal("Cid", method, path, json=body) == (403, "not-allowed")
    await place.act("Ann", "DELETE", "Cid")
    assert await place.refusal("Cid", method, path, json=body) == (403, "not-a-member")
    await place.people["Bob"].ask("DELETE", f"/rooms/{place.slug}/membership")  # a helper leaves
    assert await place.refusal("Bob", method, path, json=body) == (403, "not-a-member")
    place.people["Nobody"] = ApiClient(place.people["Ann"].http)
    assert await place.refusal("Nobody", method, path, json=body) == (401, "unknown-visitor")
    assert await place.members() == [("Ann", "owner", None), ("Dan", "member", None)]


@pytest.mark.parametrize(("method", "what", "body"), ACTS)
async def test_helper_cannot_act_on_owner_and_helpers(
    place: Place, method: str, what: str, body: object
) -> None:
    await place.act("Ann", "PUT", "Dan", "/role", json={"role": "helper"})
    if (method, what) == ("DELETE", "/ban"):
        return  # nobody is banned who is a member
    for on in ("Ann", "Dan", "Bob"):
        path = f"/members/{place.authors[on]}{what}"
        assert await place.refusal("Bob", method, path, json=body) == (403, "not-allowed")


async def test_owner_gives_roles_that_members_see(place: Place) -> None:
    async with place.people["Cid"].listen(place.slug) as stream:
        await stream.ready()
        await place.act("Ann", "PUT", "Dan", "/role", json={"role": "helper"})
        event = (await stream.until("member"))[-1]
        assert event.data == {
            "author": place.authors["Dan"],
            "nickname": "Dan",
            "role": "helper",
            "muted_until": None,
        }
        await place.act("Ann", "PUT", "Cid", "/role", json={"role": "owner"})
        await stream.until("member", nickname="Cid", role="owner")
        await stream.until("member", nickname="Ann", role="helper")
    own = await place.people["Cid"].ask("GET", "/rooms/mine")
    assert own["items"][0]["membership"]["role"] == "owner"
    assert [role for _, role, _ in await place.members()] == ["helper", "helper", "owner", "helper"]
    assert await place.act("Cid", "PUT", "Bob", "/role", json={"role": "member"}) == 200


async def test_muted_member_is_refused_until_the_mute_ends(place: Place, clock: FakeClock) -> None:
    (message,) = await place.people["Cid"].say(place.slug, "before")
    async with place.people["Cid"].listen(place.slug) as stream:
        await stream.ready()
        await place.act("Bob", "PUT", "Cid", "/mute", json={"duration": "10m"})
        event = (await stream.until("member"))[-1]
        assert event.data["muted_until"] == MUTED_UNTIL
    assert ("Cid", "member", MUTED_UNTIL) in await place.members()
    for method, path, body in (
        ("POST", "/messages", {"text": "now"}),
        ("PATCH", f"/messages/{message['id']}", {"text": "now"}),
        ("PUT", f"/messages/{message['id']}/reactions/👍", None),
        ("POST", "/commands", {"text": "/me talks"}),
    ):
        response = await place.people["Cid"].call(method, f"/rooms/{place.slug}{path}", json=body)
        problem = response.json()
        assert (response.status_code, problem["type"]) == (403, "/api/v1/problems/muted")
        assert problem["muted_until"] == MUTED_UNTIL
        assert problem["detail"] == "You cannot write in this room for another 10m."
    assert (await place.people["Cid"].read(place.slug))["items"][0]["text"] == "before"
    clock.advance(timedelta(minutes=10))
    await place.people["Cid"].say(place.slug, "after")
    assert ("Cid", "member", None) in await place.members()


async def test_mute_without_duration_ends_with_unmuting(place: Place) -> None:
    await place.act("Ann", "PUT", "Cid", "/mute")
    assert ("Cid", "member", "9999-12-31T00:00:00Z") in await place.members()
    assert await place.act("Bob", "DELETE", "Cid", "/mute") == 200
    await place.people["Cid"].say(place.slug, "thanks")


async def test_removed_member_learns_it_and_their_stream_ends(place: Place) -> None:
    async with (
        place.people["Cid"].listen(place.slug) as own,
        place.people["Dan"].listen(place.slug) as other,
    ):
        await own.ready()
        await other.ready()
        assert await place.act("Bob", "DELETE", "Cid") == 204
        left = {"author": place.authors["Cid"], "removed": True}
        assert (await own.rest())[-1].data == left
        assert (await other.until("left"))[-1].data == left
    refused = await place.refusal("Cid", "POST", "/messages", json={"text": "still here"})
    assert refused == (403, "not-a-member")
    await place.people["Cid"].ask("PUT", f"/rooms/{place.slug}/membership")


async def test_banned_visitor_cannot_join_until_the_ban_is_lifted(
    place: Place, sign_in: SignIn
) -> None:
    assert await place.act("Bob", "PUT", "Cid", "/ban") == 204
    banned = (403, "banned")
    assert await place.refusal("Cid", "PUT", "/membership") == banned
    response = await place.people["Cid"].call("POST", "/rooms", json={"name": "night train"})
    assert response.status_code == 403
    bans = await place.people["Bob"].ask("GET", f"/rooms/{place.slug}/bans")
    assert bans["items"] == [
        {
            "author": place.authors["Cid"],
            "nickname": "Cid",
            "created_at": "2030-01-01T12:00:00Z",
        }
    ]
    assert await place.refusal("Dan", "GET", "/bans") == (403, "not-allowed")
    assert await place.refusal("Cid", "GET", "/bans") == (403, "not-a-member")
    await place.people["Cid"].ask("DELETE", "/visitors/me")
    place.people["Cid"] = await sign_in("cid")
    assert await place.refusal("Cid", "PUT", "/membership") == banned
    assert await place.act("Ann", "DELETE", "Cid", "/ban") == 204
    await place.people["Cid"].ask("PUT", f"/rooms/{place.slug}/membership")


async def test_all_messages_of_somebody_are_deleted_for_everybody(place: Place) -> None:
    async with place.people["Dan"].listen(place.slug) as stream:
        await stream.ready()
        await place.people["Cid"].say(place.slug, "one", "two")
        await place.people["Dan"].say(place.slug, "three")
        await place.people["Ann"].say(place.slug, "four")
        assert await place.act("Bob", "DELETE", "Cid", "/messages") == 204
        assert (await stream.until("gone"))[-1].data == {"seqs": [1, 2]}
    texts = [each["text"] for each in (await place.people["Cid"].read(place.slug))["items"]]
    assert texts == ["three", "four"]


async def test_rules_for_writing_are_problems_of_their_own(place: Place) -> None:
    path = f"/rooms/{place.slug}"
    post = ("Cid", "POST", "/messages")
    await place.people["Ann"].ask("PATCH", path, json={"paused": True, "unwanted": ["casino"]})
    assert await place.refusal(*post, json={"text": "hi"}) == (403, "room-paused")
    assert await place.refusal(*post, json={"text": "Casino"}) == (422, "unwanted-word")
    await place.people["Bob"].say(place.slug, "hello")
    await place.people["Ann"].ask("PATCH", path, json={"paused": False, "slow_mode": "30s"})
    await place.people["Cid"].say(place.slug, "hi")
    response = await place.people["Cid"].call("POST", f"{path}/messages", json={"text": "hi"})
    assert (response.status_code, response.headers["retry-after"]) == (429, "30")
    assert response.json()["type"].endswith("/too-soon")
    assert (await place.people["Bob"].ask("GET", path))["unwanted"] == ["casino"]
    assert (await place.people["Cid"].ask("GET", path))["unwanted"] is None


async def test_malformed_roles_and_durations_are_invalid_requests(place: Place) -> None:
    for what, body in (
        ("/role", {"role": "king"}),
        ("/role", {}),
        ("/mute", {"duration": "0m"}),
        ("/mute", {"duration": "soon"}),
        ("/mute", {"minutes": 10}),
    ):
        path = f"/members/{place.authors['Cid']}{what}"
        assert await place.refusal("Ann", "PUT", path, json=body) == (422, "invalid-request")
