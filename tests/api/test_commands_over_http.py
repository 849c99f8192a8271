"""Commands of plugins over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from anonchat import Chat
from tests.api.api_client import ApiClient
from tests.api.apps import SignIn, running_app
from tests.fakes import FakeClock

ERRANDS = Path(__file__).parents[1] / "plugins" / "examples" / "errands.py"


@pytest.fixture
async def web(tmp_path: Path, clock: FakeClock) -> AsyncIterator[FastAPI]:
    changes = {"commands_per_visitor": "20/1m"}
    async with running_app(tmp_path / "data", clock, plugins=ERRANDS, **changes) as web:
        yield web


async def test_command_posts_a_message(ann: ApiClient, bob: ApiClient, slug: str) -> None:
    result = await run(ann, slug, "/fetch 2")
    assert result["told"] == ""
    assert (result["message"]["kind"], result["message"]["data"]) == ("errand-dice", [4, 4])
    assert [each["data"] for each in (await bob.read(slug))["items"]] == [[4, 4]]


async def test_command_tells_its_caller_alone(ann: ApiClient, slug: str) -> None:
    assert await run(ann, slug, "/fetch-rules") == {
        "told": "<b>Rules</b> (en)\n1. Be kind.\n2. Be brief.",
        "message": None,
    }
    assert (await ann.read(slug))["items"] == []


async def test_retry_with_the_same_dedup_id_runs_once(ann: ApiClient, slug: str) -> None:
    results = [await run(ann, slug, "/only-once", dedup_id="1") for _ in range(2)]
    assert results[0] == results[1]
    again = await ann.call("POST", f"/rooms/{slug}/commands", json={"text": "/only-once"})
    assert (again.status_code, again.json()["type"]) == (429, "/api/v1/problems/too-often")


@pytest.mark.parametrize(
    ("text", "status", "problem", "detail"),
    [
        ("/dance", 404, "not-found", "There is no command /dance."),
        ("/fetch many", 422, "refused", "Use it like this: /fetch [times]"),
        ("/close-shop", 403, "not-allowed", "Only the owner of the room may do that."),
        ("/stumble", 500, "plugin-failed", "That did not work."),
        ("hello", 422, "invalid-message", "A command is like /help."),
    ],
)
async def test_refused_command_is_explained(
    bob: ApiClient, slug: str, text: str, status: int, problem: str, detail: str
) -> None:
    response = await bob.call("POST", f"/rooms/{slug}/commands", json={"text": text})
    assert response.status_code == status
    assert response.json()["type"] == f"/api/v1/problems/{problem}"
    assert detail in response.json()["detail"]
    assert "only logged" not in response.text


async def test_commands_are_listed_for_the_caller(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    listed = await ann.ask("GET", f"/rooms/{slug}/commands")
    assert listed["next"] is None
    assert {"name": "fetch", "usage": "/fetch [times]", "help": "Fetch dice."} in listed["items"]
    names = [each["name"] for each in listed["items"]]
    assert names == sorted(names)
    others = (await bob.ask("GET", f"/rooms/{slug}/commands"))["items"]
    assert "close-shop" in names
    assert "close-shop" not in {each["name"] for each in others}


async def test_only_members_list_and_run_commands(sign_in: SignIn, slug: str) -> None:
    sid = await sign_in("Sid")
    for method, body in (("GET", None), ("POST", {"text": "/fetch-rules"})):
        response = await sid.call(method, f"/rooms/{slug}/commands", json=body)
        assert response.json()["type"] == "/api/v1/problems/not-a-member"


async def test_commands_of_a_visitor_are_limited(ann: ApiClient, slug: str, chat: Chat) -> None:
    for _ in range(20):
        await run(ann, slug, "/fetch-rules")
    response = await ann.call("POST", f"/rooms/{slug}/commands", json={"text": "/fetch-rules"})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "3")
    assert chat.limits.count_refused()["commands"] == 1


async def run(person: ApiClient, slug: str, text: str, **more: str) -> dict[str, object]:
    """Run a command, and return the result."""
    body = {"text": text, **more}
    result: dict[str, object] = await person.ask("POST", f"/rooms/{slug}/commands", json=body)
    return result
