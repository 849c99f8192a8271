"""Typing signals over HTTP, and their event."""

from pathlib import Path

from tests.api.api_client import ApiClient
from tests.api.apps import SignIn, api_client, running_app
from tests.fakes import FakeClock


async def test_signal_is_streamed_to_the_members_and_ends_with_the_message(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    author = (await ann.ask("GET", f"/rooms/{slug}"))["membership"]["author"]
    async with bob.listen(slug) as stream:
        await stream.ready()
        response = await ann.call("PUT", f"/rooms/{slug}/typing")
        assert (response.status_code, response.content) == (204, b"")
        event = (await stream.until("typing"))[-1]
        assert (event.id, event.data) == (None, {"authors": [author], "several": False})
        await ann.say(slug, "hello")
        events = await stream.until("typing")
    assert events[-1].data == {"authors": [], "several": False}


async def test_signal_of_a_stranger_or_without_a_token_is_refused(
    ann: ApiClient, anonymous: ApiClient, slug: str, sign_in: SignIn
) -> None:
    cleo = await sign_in("Cleo")
    async with ann.listen(slug) as stream:
        await stream.ready()
        for client, status, kind in (
            (cleo, 403, "not-a-member"),
            (anonymous, 401, "unknown-visitor"),
        ):
            response = await client.call("PUT", f"/rooms/{slug}/typing")
            assert response.status_code == status
            assert response.json()["type"].endswith(kind)
        await ann.say(slug, "the end")
        assert "typing" not in {event.kind for event in await stream.until("message")}
    assert (await ann.call("PUT", "/rooms/nowhere/typing")).status_code == 404


async def test_flood_of_signals_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    async with (
        running_app(tmp_path / "data", clock, typing_per_visitor="2/1m") as web,
        api_client(web) as http,
    ):
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        ann = ApiClient(http, visitor["token"])
        slug = (await ann.open("night train"))["slug"]
        statuses = [(await ann.call("PUT", f"/rooms/{slug}/typing")).status_code for _ in range(3)]
        assert statuses == [204, 204, 429]
