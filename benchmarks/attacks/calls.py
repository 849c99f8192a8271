"""Attacks on every route of the API."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from benchmarks.attacks.client import Client
from benchmarks.attacks.scene import Scene
from benchmarks.attacks.way import Act, Prepare, Way

COMMANDS = ("/help", "/me waits")
"""Commands that every site has: one tells something, the other posts."""

_API = "/api/v1"
_API_LIMIT = ("api_calls_per_ip",)

_GUESSED = 8
_PHRASE_ROUND = 60  # per round, because each needs an Argon2id hash

Route = tuple[str, str]

_CHANGES_OF_MEMBERS: tuple[tuple[str, str, object], ...] = (
    ("PUT", "role", {"role": "helper"}),
    ("PUT", "role", {"role": "member"}),
    ("PUT", "mute", {"duration": "10m"}),
    ("DELETE", "mute", None),
)


def _call(
    method: str,
    path: Callable[[Scene, int], str],
    body: Callable[[int], object] | None = None,
) -> Prepare:
    async def prepare(client: Client, scene: Scene) -> Act:
        async def act(number: int) -> None:
            options: dict[str, Any] = {"json": body(number)} if body else {}
            target = _API + path(scene, number)
            await client.ask(method, target, token=scene.token(number), **options)

        return act

    return prepare


def _sign_in(**fields: str) -> Prepare:
    async def prepare(client: Client, _scene: Scene) -> Act:
        async def act(_number: int) -> None:
            await request_token(client, **fields)

        return act

    return prepare


async def request_token(client: Client, **fields: str) -> str:
    """Sign in with these fields, in which `*` is replaced by random digits; return the token."""
    body = {name: text.replace("*", uuid4().hex[:12]) for name, text in fields.items()}
    return str(json.loads(await client.ask("POST", f"{_API}/visitors", json=body))["token"])


async def _guess_phrases(client: Client, _scene: Scene) -> Act:
    """Try secret phrases against a few nicknames in turn."""
    nicknames = [f"g {uuid4().hex[:12]}" for _ in range(_GUESSED)]
    for nickname in nicknames:
        await request_token(client, nickname=nickname, secret_phrase="the right one, and long")

    async def act(number: int) -> None:
        nickname = nicknames[number % len(nicknames)]
        wrong = {"nickname": nickname, "secret_phrase": f"wrong {uuid4()}"}
        await client.ask("POST", f"{_API}/visitors", json=wrong, expect=[409])

    return act


async def _use_false_token(client: Client, _scene: Scene) -> Act:
    async def act(_number: int) -> None:
        await client.ask("GET", f"{_API}/rooms/mine", token=uuid4().hex, expect=[401])

    return act


async def _delete_visitor(client: Client, _scene: Scene) -> Act:
    async def act(_number: int) -> None:
        token = await request_token(client, nickname="d *")
        await client.ask("DELETE", f"{_API}/visitors/me", token=token)

    return act


async def _join_and_leave(client: Client, scene: Scene) -> Act:
    path = f"{_API}/rooms/{scene.lively_room}/membership"

    async def act(number: int) -> None:
        turn = number // len(scene.tokens)
        method = "PUT" if turn % 2 else "DELETE"
        await client.ask(method, path, token=scene.token(number))

    return act


async def _delete_room(client: Client, scene: Scene) -> Act:
    """Create a room and delete it."""

    async def act(number: int) -> None:
        token, name = scene.token(number), f"burn-{uuid4().hex[:12]}"
        await client.ask("POST", f"{_API}/rooms", token=token, json={"name": name})
        await client.ask("DELETE", f"{_API}/rooms/{name}", token=token)

    return act


async def _make_rooms(client: Client, scene: Scene, **fields: str) -> list[str]:
    """Create a room for each visitor of the attacker; return the paths of the rooms."""
    paths = []
    for token in scene.tokens:
        body = {"name": f"own-{uuid4().hex[:12]}", **fields}
        made = await client.ask("POST", f"{_API}/rooms", token=token, json=body)
        paths.append(f"{_API}/rooms/{json.loads(made)['slug']}")
    return paths


async def _guess_passwords(client: Client, scene: Scene) -> Act:
    """Try passwords of rooms of the attacker's other visitors."""
    paths = await _make_rooms(client, scene, password="the right one")

    async def act(number: int) -> None:
        path, wrong = f"{paths[(number + 1) % len(paths)]}/membership", {"password": f"{uuid4()}"}
        await client.ask("PUT", path, token=scene.token(number), json=wrong, expect=[403])

    return act


async def _invite(client: Client, scene: Scene) -> Act:
    """Make an invitation and revoke it."""
    paths = await _make_rooms(client, scene)

    async def act(number: int) -> None:
        path, token = f"{paths[number % len(paths)]}/invites", scene.token(number)
        made = await client.ask("POST", path, token=token, json={"uses": 1})
        await client.ask("DELETE", f"{path}/{json.loads(made)['code']}", token=token)

    return act


async def _list_invites(client: Client, scene: Scene) -> Act:
    paths = await _make_rooms(client, scene)
    for number, path in enumerate(paths):
        for _ in range(50):
            await client.ask("POST", f"{path}/invites", token=scene.token(number), json={})

    async def act(number: int) -> None:
        path = f"{paths[number % len(paths)]}/invites"
        await client.ask("GET", path, token=scene.token(number))

    return act


async def _knock(client: Client, scene: Scene) -> Act:
    """Ask to come into a room of another of the attacker's visitors, and be let in."""
    paths = await _make_rooms(client, scene)
    for number, path in enumerate(paths):
        await client.ask("PATCH", path, token=scene.token(number), json={"asks": True})

    async def act(number: int) -> None:
        path, owner = paths[number % len(paths)], scene.token(number)
        await client.ask("POST", f"{path}/knocks", token=scene.token(number + 1))
        waiting = json.loads(await client.ask("GET", f"{path}/knocks", token=owner))["items"]
        for knock in waiting:
            await client.ask("PUT", f"{path}/knocks/{knock['author']}", token=owner)

    return act


async def _change_rooms(client: Client, scene: Scene) -> Act:
    """Change the topics of rooms that the attacker creates first, one for each visitor."""
    paths = await _make_rooms(client, scene)

    async def act(number: int) -> None:
        path, body = paths[number % len(paths)], {"topic": "x" * 190 + f" {number}"}
        await client.ask("PATCH", path, token=scene.token(number), json=body)

    return act


async def _delete_messages(client: Client, scene: Scene) -> Act:
    """Delete messages in the attacker's own room."""
    path, ids = f"{_API}/rooms/{scene.own_room}/messages", list[tuple[str, str]]()
    after = 0
    while len(ids) < 1_000:
        body = await client.ask("GET", f"{path}?after={after}&limit=200", token=scene.token(0))
        items = json.loads(body)["items"]
        if not items:
            break
        ids += [(item["id"], item["author"]) for item in items]
        after = items[-1]["seq"]
    owner = await _find_authors(client, scene)
    own = [(id, owner[author]) for id, author in ids if author in owner]

    async def act(number: int) -> None:
        id, token = own[number % len(own)]
        await client.ask("DELETE", f"{path}/{id}", token=token, expect=[204, 404])

    return act


async def _post_own(client: Client, scene: Scene, path: str) -> list[str]:
    """Post a message for each visitor of the attacker, who all join; return the ids."""
    await _find_authors(client, scene)
    posted = [
        await client.ask("POST", path, token=token, json={"text": "first"})
        for token in scene.tokens
    ]
    return [json.loads(each)["id"] for each in posted]


async def _react(client: Client, scene: Scene) -> Act:
    """Add reactions, and take them back."""
    path = f"{_API}/rooms/{scene.own_room}/messages"
    ids = await _post_own(client, scene, path)

    async def act(number: int) -> None:
        turn = number // len(ids)
        target = f"{path}/{ids[0]}/reactions/%F0%9F%91%8D"
        method = "DELETE" if turn % 2 else "PUT"
        await client.ask(method, target, token=scene.token(number))

    return act


async def _open_messages(client: Client, scene: Scene) -> Act:
    """Post messages, each of which another visitor opens once."""
    path = f"{_API}/rooms/{scene.own_room}/messages"
    await _find_authors(client, scene)

    async def act(number: int) -> None:
        posted = {"text": "x" * 200, "once": True}
        message = await client.ask("POST", path, token=scene.token(number), json=posted)
        target = f"{path}/{json.loads(message)['id']}/opening"
        await client.ask("POST", target, token=scene.token(number + 1))

    return act


async def _edit_messages(client: Client, scene: Scene) -> Act:
    """Edit messages that the attacker posts first."""
    path = f"{_API}/rooms/{scene.own_room}/messages"
    ids = await _post_own(client, scene, path)

    async def act(number: int) -> None:
        id, body = ids[number % len(ids)], {"text": "x" * 200 + f" {number}"}
        await client.ask("PATCH", f"{path}/{id}", token=scene.token(number), json=body)

    return act


async def _find_authors(client: Client, scene: Scene) -> dict[str, str]:
    """Return the token of each author of the attacker."""
    path = f"{_API}/rooms/{scene.own_room}/membership"
    found = {}
    for token in scene.tokens:
        found[json.loads(await client.ask("PUT", path, token=token))["author"]] = token
    return found


async def _change_members(client: Client, scene: Scene) -> Act:
    """Let the owner of a new room change the roles and mutes of the attacker's other visitors."""
    path, members = await _make_room_with_members(client, scene)
    authors = [*members]

    async def act(number: int) -> None:
        turn, which = divmod(number, len(authors))
        method, what, body = _CHANGES_OF_MEMBERS[turn % len(_CHANGES_OF_MEMBERS)]
        options: dict[str, Any] = {"json": body} if body else {}
        target = f"{path}/members/{authors[which]}/{what}"
        await client.ask(method, target, token=scene.token(0), **options)

    return act


async def _remove_members(client: Client, scene: Scene) -> Act:
    """Remove a visitor, who comes back, or ban one and lift the ban."""
    path, members = await _make_room_with_members(client, scene)
    authors = [*members]

    async def act(number: int) -> None:
        turn, which = divmod(number, len(authors))
        target, owner = f"{path}/members/{authors[which]}", scene.token(0)
        if turn % 2:
            await client.ask("DELETE", target, token=owner, expect=[204, 404])
        else:
            await client.ask("PUT", f"{target}/ban", token=owner, expect=[204, 404])
            await client.ask("DELETE", f"{target}/ban", token=owner)
        await client.ask("PUT", f"{path}/membership", token=members[authors[which]])

    return act


async def _delete_all(client: Client, scene: Scene) -> Act:
    """Post a few messages as another visitor, and delete all of them as the owner."""
    path, members = await _make_room_with_members(client, scene)
    authors = [*members]

    async def act(number: int) -> None:
        author, body = authors[number % len(authors)], {"text": "to be deleted"}
        for _ in range(3):
            await client.ask("POST", f"{path}/messages", token=members[author], json=body)
        target = f"{path}/members/{author}/messages"
        await client.ask("DELETE", target, token=scene.token(0))

    return act


async def _list_bans(client: Client, scene: Scene) -> Act:
    """List the bans of a room of the first visitor, who has banned the others."""
    path, members = await _make_room_with_members(client, scene)
    for author in members:
        await client.ask("PUT", f"{path}/members/{author}/ban", token=scene.token(0))

    async def act(_number: int) -> None:
        await client.ask("GET", f"{path}/bans", token=scene.token(0))

    return act


async def _make_room_with_members(client: Client, scene: Scene) -> tuple[str, dict[str, str]]:
    """Create a room of the first visitor, which the others join; return its path.

    Also return the tokens of the others by author. If there are none, one is signed in.
    """
    body = {"name": f"order-{uuid4().hex[:12]}"}
    made = await client.ask("POST", f"{_API}/rooms", token=scene.token(0), json=body)
    path = f"{_API}/rooms/{json.loads(made)['slug']}"
    others = scene.tokens[1:] or (await request_token(client, nickname="o *"),)
    members = {}
    for token in others:
        joined = await client.ask("PUT", f"{path}/membership", token=token)
        members[str(json.loads(joined)["author"])] = token
    return path, members


async def _open_streams(client: Client, scene: Scene) -> Act:
    """Open an event stream of all messages, read its beginning, and disconnect."""
    path = f"{_API}/rooms/{scene.full_room}/events?after=0"

    async def act(number: int) -> None:
        async with client.http.get(
            client.url + path, headers={"Authorization": f"Bearer {scene.token(number)}"}
        ) as response:
            response.raise_for_status()
            await response.content.readany()

    return act


def _way(name: str, route: Route, prepare: Prepare, *limits: str) -> Way:
    return Way(f"API: {name}", prepare, (route,), allowed=(*_API_LIMIT, *limits))


async def _ask_for_transcripts(client: Client, scene: Scene) -> Act:
    """Ask for transcripts, refuse them, and try to save them nevertheless."""

    async def act(number: int) -> None:
        token, path = scene.token(number), f"{_API}/rooms/{scene.full_room}/transcripts"
        # Others may have asked already, or refuse meanwhile.
        body = await client.ask("POST", path, token=token, expect=[201, 429])
        path = f"{path}/{json.loads(body).get('id', 'none')}"
        refusal = {"agrees": False}
        await client.ask("PUT", f"{path}/answer", token=token, json=refusal, expect=[204, 404])
        await client.ask("GET", path, token=token, expect=[200, 404])

    return act


def _text(length: int) -> Callable[[int], object]:
    return lambda _: {"text": "x" * length}


def _command(number: int) -> object:
    return {"text": COMMANDS[number % len(COMMANDS)]}


_SIGN_IN = (("POST", "/visitors"),)
WAYS = (
    Way("API: sign-in", _sign_in(nickname="n *"), _SIGN_IN, round=300),
    Way(
        "API: sign-in with a phrase",
        _sign_in(nickname="p *", secret_phrase="phrase *"),
        _SIGN_IN,
        round=_PHRASE_ROUND,
    ),
    Way("API: phrases guessed", _guess_phrases, _SIGN_IN, round=_PHRASE_ROUND),
    _way(
        "preferences changed",
        ("PATCH", "/visitors/me"),
        _call("PATCH", lambda _scene, _: "/visitors/me", lambda n: {"shows_presence": n % 2 == 0}),
        "preferences_per_visitor",
    ),
    Way("API: be forgotten", _delete_visitor, (("DELETE", "/visitors/me"),), round=200),
    Way("API: false token", _use_false_token, round=1_000),
    _way("public rooms", ("GET", "/rooms"), _call("GET", lambda *_: "/rooms?limit=200")),
    _way(
        "rooms searched",
        ("GET", "/rooms"),
        _call("GET", lambda *_: "/rooms?query=room&limit=200"),
    ),
    _way("own rooms", ("GET", "/rooms/mine"), _call("GET", lambda *_: "/rooms/mine")),
    _way(
        "rooms made",
        ("POST", "/rooms"),
        _call("POST", lambda *_: "/rooms", lambda _: {"name": f"m {uuid4().hex[:12]}"}),
        "new_rooms_per_visitor",
    ),
    _way(
        "room looked at",
        ("GET", "/rooms/{slug}"),
        _call("GET", lambda scene, _: f"/rooms/{scene.full_room}"),
    ),
    _way(
        "room changed",
        ("PATCH", "/rooms/{slug}"),
        _change_rooms,
        "new_rooms_per_visitor",
    ),
    _way("room burnt", ("DELETE", "/rooms/{slug}"), _delete_room, "new_rooms_per_visitor"),
    Way(
        "API: joins and leaves",
        _join_and_leave,
        (("PUT", "/rooms/{slug}/membership"), ("DELETE", "/rooms/{slug}/membership")),
        allowed=(*_API_LIMIT, "joins_per_visitor"),
    ),
    _way(
        "members listed",
        ("GET", "/rooms/{slug}/members"),
        _call("GET", lambda scene, _: f"/rooms/{scene.full_room}/members"),
    ),
    Way(
        "API: members changed",
        _change_members,
        (
            ("PUT", "/rooms/{slug}/members/{author}/role"),
            ("PUT", "/rooms/{slug}/members/{author}/mute"),
            ("DELETE", "/rooms/{slug}/members/{author}/mute"),
        ),
        allowed=(*_API_LIMIT, "moderation_per_visitor"),
    ),
    Way(
        "API: members removed",
        _remove_members,
        (
            ("DELETE", "/rooms/{slug}/members/{author}"),
            ("PUT", "/rooms/{slug}/members/{author}/ban"),
            ("DELETE", "/rooms/{slug}/members/{author}/ban"),
        ),
        allowed=(*_API_LIMIT, "moderation_per_visitor", "joins_per_visitor"),
    ),
    Way(
        "API: all messages of members deleted",
        _delete_all,
        (("DELETE", "/rooms/{slug}/members/{author}/messages"),),
        allowed=(*_API_LIMIT, "moderation_per_visitor", "posts_per_visitor"),
    ),
    _way(
        "bans listed",
        ("GET", "/rooms/{slug}/bans"),
        _list_bans,
    ),
    _way(
        "passwords guessed",
        ("PUT", "/rooms/{slug}/membership"),
        _guess_passwords,
        "wrong_passwords_per_visitor",
        "wrong_passwords_per_ip",
    ),
    Way(
        "API: invitations made and revoked",
        _invite,
        (("POST", "/rooms/{slug}/invites"), ("DELETE", "/rooms/{slug}/invites/{code}")),
        allowed=(*_API_LIMIT, "invites_per_visitor"),
    ),
    Way(
        "API: knocks",
        _knock,
        (
            ("POST", "/rooms/{slug}/knocks"),
            ("GET", "/rooms/{slug}/knocks"),
            ("PUT", "/rooms/{slug}/knocks/{author}"),
        ),
        allowed=(*_API_LIMIT, "knocks_per_visitor", "joins_per_visitor"),
    ),
    _way("invitations listed", ("GET", "/rooms/{slug}/invites"), _list_invites),
    _way(
        "typing signals",
        ("PUT", "/rooms/{slug}/typing"),
        _call("PUT", lambda scene, _: f"/rooms/{scene.full_room}/typing"),
        "typing_per_visitor",
    ),
    _way(
        "own messages saved",
        ("GET", "/rooms/{slug}/export"),
        _call("GET", lambda scene, _: f"/rooms/{scene.own_room}/export"),
        "exports_per_visitor",
    ),
    Way(
        "API: transcripts asked for",
        _ask_for_transcripts,
        (
            ("POST", "/rooms/{slug}/transcripts"),
            ("PUT", "/rooms/{slug}/transcripts/{transcript_id}/answer"),
            ("GET", "/rooms/{slug}/transcripts/{transcript_id}"),
        ),
        allowed=(*_API_LIMIT, "transcripts_per_visitor", "exports_per_visitor"),
    ),
    _way(
        "messages read",
        ("GET", "/rooms/{slug}/messages"),
        _call("GET", lambda scene, _: f"/rooms/{scene.full_room}/messages?limit=200"),
    ),
    _way(
        "messages searched",
        ("GET", "/rooms/{slug}/messages"),
        _call("GET", lambda scene, _: f"/rooms/{scene.full_room}/messages?query=none"),
        "searches_per_visitor",
    ),
    _way(
        "posts",
        ("POST", "/rooms/{slug}/messages"),
        _call("POST", lambda scene, _: f"/rooms/{scene.full_room}/messages", _text(200)),
        "posts_per_visitor",
    ),
    _way(
        "messages edited",
        ("PATCH", "/rooms/{slug}/messages/{message_id}"),
        _edit_messages,
        "edits_per_visitor",
    ),
    _way(
        "messages opened once",
        ("POST", "/rooms/{slug}/messages/{message_id}/opening"),
        _open_messages,
        "posts_per_visitor",
        "openings_per_visitor",
    ),
    Way(
        "API: reactions",
        _react,
        (
            ("PUT", "/rooms/{slug}/messages/{message_id}/reactions/{emoji}"),
            ("DELETE", "/rooms/{slug}/messages/{message_id}/reactions/{emoji}"),
        ),
        allowed=(*_API_LIMIT, "reactions_per_visitor"),
    ),
    _way(
        "messages deleted",
        ("DELETE", "/rooms/{slug}/messages/{message_id}"),
        _delete_messages,
        "deletions_per_visitor",
    ),
    _way(
        "commands run",
        ("POST", "/rooms/{slug}/commands"),
        _call("POST", lambda scene, _: f"/rooms/{scene.full_room}/commands", _command),
        "commands_per_visitor",
        "posts_per_visitor",
    ),
    _way(
        "commands listed",
        ("GET", "/rooms/{slug}/commands"),
        _call("GET", lambda scene, _: f"/rooms/{scene.full_room}/commands"),
    ),
    _way("streams opened and closed", ("GET", "/rooms/{slug}/events"), _open_streams),
)
