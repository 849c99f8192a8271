"""Passwords, the lock and the most members of rooms over HTTP."""

from typing import Any

import pytest

from tests.api.api_client import ApiClient


async def test_room_with_a_password_is_joined_with_it(ann: ApiClient, bob: ApiClient) -> None:
    room = await ann.open("Night Train", password="swordfish")
    assert room["has_password"]
    path = "/rooms/night-train/membership"
    await _assert_refused(bob, "PUT", path, None, "password-required")
    await _assert_refused(bob, "PUT", path, {"password": "sword"}, "wrong-password")
    await _assert_refused(bob, "POST", "/rooms", {"name": "night train"}, "password-required")
    sent = {"name": "night train", "password": "sword"}
    await _assert_refused(bob, "POST", "/rooms", sent, "wrong-password")
    assert (await bob.ask("GET", "/rooms/night-train"))["membership"] is None
    await bob.ask("PUT", path, json={"password": "swordfish"})
    assert (await bob.call("PUT", path)).status_code == 200
    again = await bob.call("POST", "/rooms", json={"name": "night train"})
    assert again.status_code == 200


async def test_password_is_changed_and_removed(ann: ApiClient, bob: ApiClient) -> None:
    await ann.open("Night Train", password="swordfish")
    path = "/rooms/night-train"
    assert (await ann.ask("PATCH", path, json={"password": "herring"}))["has_password"]
    sent = {"password": "swordfish"}
    await _assert_refused(bob, "PUT", f"{path}/membership", sent, "wrong-password")
    assert not (await ann.ask("PATCH", path, json={"password": ""}))["has_password"]
    await bob.ask("PUT", f"{path}/membership")


async def test_room_that_is_not_listed_answers_a_password_like_no_room(
    ann: ApiClient, bob: ApiClient
) -> None:
    room = await ann.open("attic", listed=False, password="swordfish")
    answers = [
        await bob.call("PUT", f"/rooms/{slug}/membership", json={"password": "wrong"})
        for slug in (room["slug"], "x" * len(room["slug"]))
    ]
    problems = [answer.json() | {"instance": ""} for answer in answers]
    assert problems[0] == problems[1]
    assert problems[0]["type"] == "/api/v1/problems/wrong-password"
    unknown = await bob.call("PUT", "/rooms/nowhere/membership")
    assert unknown.json()["type"] == "/api/v1/problems/not-found"


async def test_locked_and_full_rooms_are_not_joined(ann: ApiClient, bob: ApiClient) -> None:
    await ann.open("Night Train")
    await ann.ask("PATCH", "/rooms/night-train", json={"locked": True})
    path = "/rooms/night-train/membership"
    await _assert_refused(bob, "PUT", path, None, "room-locked")
    await ann.ask("PATCH", "/rooms/night-train", json={"locked": False, "members_max": 2})
    await bob.ask("PUT", path)
    assert (await bob.ask("GET", "/rooms/night-train"))["members"] == 2


@pytest.mark.parametrize("password", ["x" * 201, "x" * 100_000, 5, None])
async def test_invalid_password_is_refused(ann: ApiClient, password: Any) -> None:
    response = await ann.call("POST", "/rooms", json={"name": "attic", "password": password})
    assert response.status_code in (413, 422)
    assert (await ann.ask("GET", "/rooms"))["items"] == []


async def _assert_refused(
    client: ApiClient, method: str, path: str, body: object, problem: str
) -> None:
    response = await client.call(method, path, json=body)
    assert (response.status_code, response.json()["type"]) == (403, f"/api/v1/problems/{problem}")


async def test_invitation_is_made_used_listed_and_revoked(ann: ApiClient, bob: ApiClient) -> None:
    slug = (await ann.open("attic", listed=False, password="swordfish"))["slug"]
    path = f"/rooms/{slug}/invites"
    response = await ann.call("POST", path, json={"ttl": "1h", "uses": 2})
    assert response.status_code == 201
    invite = response.json()
    assert invite == {
        "code": invite["code"],
        "uses": 0,
        "uses_max": 2,
        "expires_at": "2030-01-01T13:00:00Z",
    }
    await bob.ask("PUT", f"/rooms/{slug}/membership", json={"invite": invite["code"]})
    listed = await ann.ask("GET", path)
    assert listed == {"items": [invite | {"uses": 1}], "next": None}
    await _assert_refused(bob, "GET", path, None, "not-allowed")
    await _assert_refused(bob, "POST", path, {}, "not-allowed")
    await _assert_refused(bob, "DELETE", f"{path}/{invite['code']}", None, "not-allowed")
    deleted = await ann.call("DELETE", f"{path}/{invite['code']}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    again = await ann.call("DELETE", f"{path}/{invite['code']}")
    assert (again.status_code, again.json()["type"]) == (404, "/api/v1/problems/invite-gone")
    made = await ann.call("POST", path)
    assert (made.json()["uses_max"], made.json()["expires_at"]) == (0, "2030-01-02T12:00:00Z")


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"ttl": "31d"}, "invalid-invite"),
        ({"ttl": "1s"}, "invalid-invite"),
        ({"ttl": "1"}, "invalid-request"),
        ({"uses": -1}, "invalid-request"),
        ({"uses": 10_000_000}, "invalid-invite"),
        ({"code": "mine"}, "invalid-request"),
    ],
)
async def test_invalid_invitation_is_refused(
    ann: ApiClient, sent: dict[str, Any], problem: str
) -> None:
    await ann.open("Night Train")
    response = await ann.call("POST", "/rooms/night-train/invites", json=sent)
    assert (response.status_code, response.json()["type"]) == (422, f"/api/v1/problems/{problem}")


async def test_invitation_that_does_not_lead_here_is_refused(
    ann: ApiClient, bob: ApiClient
) -> None:
    await ann.open("Night Train")
    response = await bob.call("PUT", "/rooms/night-train/membership", json={"invite": "nothing"})
    assert (response.status_code, response.json()["type"]) == (404, "/api/v1/problems/invite-gone")


async def test_who_asks_is_let_in_or_turned_away(ann: ApiClient, bob: ApiClient) -> None:
    await ann.open("Night Train")
    path = "/rooms/night-train"
    await ann.ask("PATCH", path, json={"asks": True})
    await _assert_refused(bob, "PUT", f"{path}/membership", None, "must-knock")
    asked = await bob.call("POST", f"{path}/knocks")
    assert (asked.status_code, asked.content) == (204, b"")
    await _assert_refused(bob, "GET", f"{path}/knocks", None, "not-a-member")
    (knock,) = (await ann.ask("GET", f"{path}/knocks"))["items"]
    assert knock == {"author": knock["author"], "nickname": "Bob"}
    answer = f"{path}/knocks/{knock['author']}"
    await _assert_refused(bob, "PUT", answer, {"let_in": True}, "not-a-member")
    assert (await ann.call("PUT", answer, json={"let_in": False})).status_code == 204
    await _assert_refused(bob, "PUT", f"{path}/membership", None, "turned-away")
    await _assert_refused(bob, "POST", f"{path}/knocks", None, "turned-away")
    assert (await ann.call("PUT", answer)).status_code == 204
    assert (await bob.ask("GET", path))["membership"]
    unknown = await ann.call("PUT", answer)
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/api/v1/problems/not-found")
