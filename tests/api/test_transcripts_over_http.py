"""Exports and transcripts over HTTP, and the event that asks for consent."""

import pytest

from tests.api.api_client import ApiClient
from tests.api.apps import SignIn


async def _ask(client: ApiClient, slug: str) -> str:
    """Ask for the transcript; return the path of the question."""
    response = await client.call("POST", f"/rooms/{slug}/transcripts")
    assert response.status_code == 201, response.text
    return f"/rooms/{slug}/transcripts/{response.json()['id']}"


async def test_export_has_the_own_messages_as_a_file(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    await ann.say(slug, "mine", "mine, too")
    await bob.say(slug, "his")
    response = await ann.call("GET", f"/rooms/{slug}/export")
    assert response.status_code == 200
    assert response.headers["content-disposition"] == 'attachment; filename="messages.json"'
    content = response.json()
    assert [message["text"] for message in content["messages"]] == ["mine", "mine, too"]
    assert content["complete"] is True
    response = await bob.call("GET", f"/rooms/{slug}/export", params={"format": "text"})
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.endswith("Bob: his\n")
    assert "mine" not in response.text


async def test_transcript_needs_the_consent_of_those_who_are_present(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    await ann.say(slug, "mine")
    await bob.say(slug, "his")
    async with bob.listen(slug) as stream:
        await stream.ready()
        path = await _ask(ann, slug)
        asked = (await stream.until("transcript"))[-1]
        assert asked.id is None
        assert path.endswith(asked.data["id"])
        assert asked.data["granted"] is None
        assert (await ann.call("GET", path)).status_code == 404
        answered = await bob.call("PUT", f"{path}/answer", json={"agrees": True})
        assert answered.status_code == 204
        ended = (await stream.until("transcript"))[-1]
        assert ended.data == {**asked.data, "granted": True}
    file = (await ann.call("GET", path)).json()
    assert [message["text"] for message in file["messages"]] == ["mine", "his"]
    assert (await bob.call("GET", path)).status_code == 404
    text = await ann.call("GET", path, params={"format": "text"})
    assert text.text.endswith("Bob: his\n")


async def test_stream_that_is_opened_meanwhile_is_asked_too_and_may_refuse(
    ann: ApiClient, bob: ApiClient, slug: str, sign_in: SignIn
) -> None:
    cleo = await sign_in("Cleo")
    await cleo.open(slug)
    async with bob.listen(slug) as his:
        await his.ready()
        path = await _ask(ann, slug)
        async with cleo.listen(slug) as hers:
            await hers.ready()
            await hers.until("transcript", granted=None)
            await bob.call("PUT", f"{path}/answer", json={"agrees": True})
            assert (await ann.call("GET", path)).status_code == 404
            refused = await cleo.call("PUT", f"{path}/answer", json={"agrees": False})
            assert refused.status_code == 204
            await hers.until("transcript", granted=False)
    assert (await ann.call("GET", path)).status_code == 404
    late = await bob.call("PUT", f"{path}/answer", json={"agrees": True})
    assert late.status_code == 404


async def test_strangers_and_anonymous_clients_save_and_ask_nothing(
    ann: ApiClient, anonymous: ApiClient, slug: str, sign_in: SignIn
) -> None:
    cleo = await sign_in("Cleo")
    await ann.say(slug, "secret")
    path = await _ask(ann, slug)
    for client, status in ((cleo, 403), (anonymous, 401)):
        for method, target, body in (
            ("GET", f"/rooms/{slug}/export", None),
            ("POST", f"/rooms/{slug}/transcripts", None),
            ("GET", path, None),
            ("PUT", f"{path}/answer", {"agrees": False}),
        ):
            response = await client.call(method, target, json=body)
            assert response.status_code == status, (method, target)
            assert "secret" not in response.text


@pytest.mark.parametrize("body", [{}, {"agrees": "x"}, {"agrees": None}, [], {"agrees": 1, "x": 2}])
async def test_malformed_answers_are_refused(ann: ApiClient, slug: str, body: object) -> None:
    path = await _ask(ann, slug)
    assert (await ann.call("PUT", f"{path}/answer", json=body)).status_code == 422
    assert (await ann.call("GET", f"/rooms/{slug}/export?format=xml")).status_code == 422
