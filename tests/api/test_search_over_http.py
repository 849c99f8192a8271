"""Searching messages over HTTP."""

from pathlib import Path

import pytest

from anonchat.storage import message_search
from anonchat.text.search import QUERY_CHARACTERS
from tests.api.api_client import ApiClient
from tests.api.apps import SignIn, api_client, running_app
from tests.fakes import FakeClock


async def test_messages_with_all_words_are_returned_oldest_first(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    one, _, three = await ann.say(slug, "Green TEA", "coffee", "tea, green again")
    assert await bob.read(slug, query="tea GREEN") == {"items": [one, three], "next": None}
    assert await bob.read(slug, query="milk") == {"items": [], "next": None}
    (drawn,) = (await bob.read(slug, query="coffee", format="html"))["items"]
    assert drawn["html"] == "coffee"


async def test_cursor_of_a_search_continues_with_older_messages(
    ann: ApiClient, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_search, "SEARCHED_MAX", 100)
    sent = await ann.say(slug, *(f"tea {n}" for n in range(3)), *(["line"] * 110))
    nothing = await ann.read(slug, query="tea", limit=2)
    assert nothing["items"] == []
    newer = await ann.read(slug, query="tea", limit=2, cursor=nothing["next"])
    assert newer["items"] == sent[1:3]
    older = await ann.read(slug, query="tea", limit=2, cursor=newer["next"])
    assert older == {"items": sent[:1], "next": None}


async def test_found_messages_do_not_count_as_read(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    await ann.say(slug, "tea")
    assert (await bob.read(slug, query="tea"))["items"]
    (room,) = (await bob.ask("GET", "/rooms/mine"))["items"]
    assert room["unread"] == 1


async def test_search_of_a_stranger_or_with_wrong_parameters_is_refused(
    ann: ApiClient, slug: str, sign_in: SignIn
) -> None:
    path = f"/rooms/{slug}/messages"
    cleo = await sign_in("Cleo")
    assert (await cleo.call("GET", path, params={"query": "tea"})).status_code == 403
    both = await ann.call("GET", path, params={"query": "tea", "after": 0})
    assert both.status_code == 422
    assert both.json()["type"].endswith("invalid-request")
    long = await ann.call("GET", path, params={"query": "x" * (QUERY_CHARACTERS + 1)})
    assert long.status_code == 422


async def test_searches_are_limited_for_each_visitor(tmp_path: Path, clock: FakeClock) -> None:
    async with (
        running_app(tmp_path, clock, searches_per_visitor="1/1m") as web,
        api_client(web) as http,
    ):
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        ann = ApiClient(http, visitor["token"])
        slug = (await ann.open("night train"))["slug"]
        await ann.read(slug, query="tea")
        refused = await ann.call("GET", f"/rooms/{slug}/messages", params={"query": "tea"})
        assert refused.status_code == 429
        assert "Retry-After" in refused.headers
        await ann.read(slug)
