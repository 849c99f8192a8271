"""Opening messages once over HTTP."""

from tests.api.api_client import ApiClient
from tests.api.apps import SignIn
from tests.fakes import FakeClock

SECRET = "**under** the mat"


def is_text_free(answer: object) -> bool:
    """Return whether an answer has nothing of the text."""
    return "mat" not in repr(answer)


async def test_message_is_opened_once_by_each_reader(
    ann: ApiClient, bob: ApiClient, sign_in: SignIn, slug: str
) -> None:
    cid = await sign_in("Cid")
    await cid.ask("PUT", f"/rooms/{slug}/membership")
    async with bob.listen(slug) as stream:
        await stream.ready()
        message = await ann.ask(
            "POST", f"/rooms/{slug}/messages", json={"text": SECRET, "once": True}
        )
        assert (message["once"], message["opened"], message["text"]) == (True, 0, "")
        streamed = (await stream.until("message"))[-1].data
        assert streamed == {**message, "html": ""}
        path = f"/rooms/{slug}/messages/{message['id']}/opening"
        assert await cid.ask("POST", path) == {
            "text": SECRET,
            "html": "<strong>under</strong> the mat",
        }
        opened = (await stream.until("opened"))[-1].data
        assert opened == {**message, "html": "", "opened": 1, "revision": 1}
        again = await cid.call("POST", path)
        assert (again.status_code, again.json()["type"]) == (403, "/api/v1/problems/not-allowed")
        assert again.json()["detail"] == "You have opened it already."
        for reader in (ann, bob, cid):
            for format in ("text", "html"):
                page = await reader.read(slug, format=format)
                assert page["items"][0]["opened"] == 1
                assert is_text_free(page)
            assert (await reader.read(slug, query="mat"))["items"] == []
        assert (await bob.ask("POST", path))["text"] == SECRET
        assert (await stream.until("gone"))[-1].data == {"seqs": [message["seq"]]}
    assert (await ann.read(slug))["items"] == []
    gone = await bob.call("POST", path)
    assert (gone.status_code, gone.json()["type"]) == (404, "/api/v1/problems/not-found")


async def test_others_cannot_open_it(
    ann: ApiClient, bob: ApiClient, sign_in: SignIn, slug: str
) -> None:
    sent = {"text": SECRET, "once": True}
    message = await ann.ask("POST", f"/rooms/{slug}/messages", json=sent)
    path = f"/rooms/{slug}/messages/{message['id']}/opening"
    outsider = await sign_in("Dan")
    refused = await outsider.call("POST", path)
    assert refused.json()["type"] == "/api/v1/problems/not-a-member"
    await outsider.ask("PUT", f"/rooms/{slug}/membership")
    for other in (ann, outsider):
        refused = await other.call("POST", path)
        assert refused.json()["type"] == "/api/v1/problems/not-allowed"
        assert is_text_free(refused.json())
    edit = await ann.call("PATCH", f"/rooms/{slug}/messages/{message['id']}", json={"text": "x"})
    assert edit.json()["type"] == "/api/v1/problems/not-allowed"
    assert (await bob.ask("POST", path))["text"] == SECRET


async def test_it_ends_after_a_day_and_resumed_streams_have_no_text(
    ann: ApiClient, bob: ApiClient, clock: FakeClock, slug: str
) -> None:
    await ann.ask("PATCH", f"/rooms/{slug}", json={"room_ttl": "30d", "message_ttl": "7d"})
    sent = {"text": SECRET, "once": True, "ttl": "2d"}
    message = await ann.ask("POST", f"/rooms/{slug}/messages", json=sent)
    assert message["expires_at"] == "2030-01-02T12:00:00Z"
    async with bob.listen(slug, after=0) as stream:
        missed = (await stream.until("message"))[-1].data
    assert (missed["id"], missed["text"], missed["html"]) == (message["id"], "", "")
    assert message["posted_at"] == f"{clock():%Y-%m-%dT%H:%M:%SZ}"


async def test_lone_member_cannot_post_it(ann: ApiClient) -> None:
    room = await ann.open("alone")
    sent = {"text": SECRET, "once": True}
    refused = await ann.call("POST", f"/rooms/{room['slug']}/messages", json=sent)
    assert refused.json()["type"] == "/api/v1/problems/invalid-message"
