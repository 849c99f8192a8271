"""Attacks by events that pages listen to."""

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from benchmarks.attacks.calls import COMMANDS
from benchmarks.attacks.client import Client, Refused
from benchmarks.attacks.page import Event, Page
from benchmarks.attacks.scene import Scene
from benchmarks.attacks.way import Act, Prepare, Way

_FORM = "nicegui-form"
_DIALOG = "nicegui-modal_dialog"
_ROOM_SEARCH = "nicegui-room_search"
_TABS = "nicegui-side_tabs"
_ACTIONS = "nicegui-action_buttons"
_MESSAGE_SEARCH = "nicegui-message_search"
_QUICK_SWITCH = "nicegui-quick_switch"
_SWITCH = "nicegui-preference_switch"
_LEFT_ROOM = "nicegui-left_room"
_ROOM = re.compile(r'href="r/([^"]+)"')
_OPENERS = (("New room", "click"), ("Settings", "click"), ("nicegui-shortcuts", "help"))
_SYNC: dict[str, Any] = {"question": 1, "keys": [], "older": False, "beyond": ""}

Path = Callable[[Scene], str]
Emit = Callable[[Page, Scene, int], Any]


def _lobby(_scene: Scene) -> str:
    return "/"


def _login(_scene: Scene) -> str:
    return "/login"


def _privacy(_scene: Scene) -> str:
    return "/privacy"


def _full_room(scene: Scene) -> str:
    return f"/r/{scene.full_room}"


def _own_room(scene: Scene) -> str:
    return f"/r/{scene.own_room}"


def _lively_room(scene: Scene) -> str:
    return f"/r/{scene.lively_room}"


def _on_pages(path: Path, emit: Emit, *, signed_in: bool = True) -> Prepare:
    """Open all pages of the attacker, and emit events on them in turn.

    A page whose socket was closed is loaded again.
    """

    async def prepare(client: Client, scene: Scene) -> Act:
        pages = [
            Page(client, path(scene), scene.token(number) if signed_in else "")
            for number in range(scene.browser)
        ]
        for page in pages:
            await page.open()
        opening: set[Page] = set()

        async def act(number: int) -> None:
            page = pages[number % len(pages)]
            if not page.expect_connected:
                if page in opening:
                    raise Refused("the page is being loaded again")
                opening.add(page)
                try:
                    await page.open()
                finally:
                    opening.discard(page)
            before = page.refusals
            await emit(page, scene, number)
            if page.refusals > before:
                raise Refused("refused on the page")

        return act

    return prepare


def _event(part: str, event: str, args: object | Callable[[Scene, int], object]) -> Emit:
    async def emit(page: Page, scene: Scene, number: int) -> None:
        await page.emit(part, event, args(scene, number) if callable(args) else args)

    return emit


def _send(event: str, message: dict[str, Any]) -> Emit:
    async def emit(page: Page, _scene: Scene, _number: int) -> None:
        await page.call(event, {"client_id": page.client_id, **message})

    return emit


def _unique(text: str) -> str:
    return text.replace("*", uuid4().hex[:12])


def _way(
    name: str,
    path: Path,
    emit: Emit,
    *covers: Event,
    allowed: tuple[str, ...] = (),
) -> Way:
    return Way(
        f"event: {name}",
        _on_pages(path, emit),
        covers,
        allowed=("socket_events_per_page", *allowed),
    )


def _anonymous_way(name: str, path: Path, emit: Emit, *covers: Event, round: int) -> Way:
    return Way(f"event: {name}", _on_pages(path, emit, signed_in=False), covers, round=round)


def _small_lists(*channels: str) -> tuple[Event, ...]:
    return tuple((channel, event) for channel in channels for event in ("sync", "page"))


async def _sync_small(page: Page, _scene: Scene, number: int) -> None:
    channel = ("facts", "present", "members", "profile")[number % 4]
    await page.emit(channel, ("sync", "page")[number // 4 % 2], _SYNC)


async def _leave_and_return(page: Page, scene: Scene, number: int) -> None:
    """Leave a room from the list of own rooms, and join it again."""
    kept = (scene.full_room, scene.own_room)
    rooms = [
        (key, found[1])
        for key, html in page.rows["sidebar"].items()
        if (found := _ROOM.search(html)) and found[1] not in kept
    ]
    key, slug = rooms[number % len(rooms)]
    await page.emit("sidebar", "act", {"act": "leave", "key": key})
    path = f"/api/v1/rooms/{slug}/membership"
    await page.client.ask("PUT", path, token=page.token)


async def _post_and_delete(page: Page, scene: Scene, _number: int) -> None:
    """Post a message through the API, and delete it on the page."""
    path = f"/api/v1/rooms/{scene.own_room}/messages"
    message = await page.client.ask("POST", path, token=page.token, json={"text": "to be deleted"})
    await page.emit("messages", "act", {"act": "delete", "key": str(json.loads(message)["seq"])})


async def _change_members(page: Page, _scene: Scene, _number: int) -> None:
    """Create a room, make a new visitor its helper on the page, and open dialogs about them."""
    name = _unique("order-*")
    await page.client.ask("POST", "/api/v1/rooms", token=page.token, json={"name": name})
    path = f"/api/v1/rooms/{name}"
    visitor = await page.client.ask("POST", "/api/v1/visitors", json={"nickname": _unique("o *")})
    token = json.loads(visitor)["token"]
    author = json.loads(await page.client.ask("PUT", f"{path}/membership", token=token))["author"]
    own = Page(page.client, f"/r/{name}", page.token)
    await own.open()
    for part, act in (("members", "helper"), ("messages", "mute"), ("members", "bans")):
        await own.emit(part, "act", {"act": act, "author": author})
    await own.close()


async def _post_and_edit(page: Page, scene: Scene, _number: int) -> None:
    """Post a message through the API, and edit it on the page."""
    path = f"/api/v1/rooms/{scene.own_room}/messages"
    message = await page.client.ask("POST", path, token=page.token, json={"text": "to be edited"})
    edit = {"text": "x" * 200, "dedup": f"{uuid4()}", "seq": str(json.loads(message)["seq"])}
    await page.emit("nicegui-composer", "post", edit)


async def _post_and_open(page: Page, scene: Scene, number: int) -> None:
    """Post a message through the API as another visitor, and open it once on the page."""
    path = f"/api/v1/rooms/{scene.own_room}/messages"
    others = [token for token in scene.tokens if token != page.token]
    posted = {"text": "to be opened", "once": True}
    token = others[number % len(others)]
    message = await page.client.ask("POST", path, token=token, json=posted)
    await page.emit("messages", "open", {"key": str(json.loads(message)["seq"])})


async def _delete_room(page: Page, _scene: Scene, _number: int) -> None:
    """Create a room and delete it on its page."""
    name = _unique("burn-*")
    await page.client.ask("POST", "/api/v1/rooms", token=page.token, json={"name": name})
    own = Page(page.client, f"/r/{name}", page.token)
    await own.open()
    await own.press_for("Burn room", "Yes, burn it now")
    await own.press("Yes, burn it now")
    await own.close()


async def _change_room(page: Page, _scene: Scene, _number: int) -> None:
    """Create a room, and submit the form of its settings."""
    name = _unique("change-*")
    await page.client.ask("POST", "/api/v1/rooms", token=page.token, json={"name": name})
    own = Page(page.client, f"/r/{name}", page.token)
    await own.open()
    await own.press_for("Room settings", _FORM)
    await own.emit(_FORM, "submit", {"name": f"{name} too", "topic": "x" * 200})
    await own.close()


async def _delete_visitor(page: Page, _scene: Scene, _number: int) -> None:
    """Sign a new visitor in and delete them on their page."""
    body = await page.client.ask("POST", "/api/v1/visitors", json={"nickname": _unique("f *")})
    own = Page(page.client, "/", json.loads(body)["token"])
    await own.open()
    await own.press_for("Settings", "Yes, forget me now")
    await own.press("Yes, forget me now")
    await own.close()


async def _join_and_leave(page: Page, _scene: Scene, _number: int) -> None:
    """Press "Leave" and "Join" on pages of the lively room, which all its pages show."""
    other = Page(page.client, page.path, page.token)
    await other.open()
    await other.press("Leave room" if "Leave room" in other.parts else "Join room")
    await other.close()


async def _change_doors(page: Page, scene: Scene, _number: int) -> None:
    """Say that the door of a room has changed, on the page of a visitor who has left the room."""
    if "Join room" not in page.parts:
        path = f"/api/v1/rooms/{scene.lively_room}/membership"
        await page.client.ask("DELETE", path, token=page.token)
        await page.close()
        await page.open()
    await page.emit("facts", "doors", {})


async def _create_room(page: Page, _scene: Scene, _number: int) -> None:
    """Submit the form of the dialog, which stays open if it is refused."""
    await page.press_for("New room", _FORM)
    await page.emit(_FORM, "submit", {"name": _unique("room *"), "listed": "yes"})


async def _open_dialog(page: Page, _scene: Scene, number: int) -> None:
    """Close the open dialog, and open one."""
    if dialog := page.parts.pop(_DIALOG, None):
        await page.emit_event(dialog, "close", {})
    part, event = _OPENERS[number % len(_OPENERS)]
    await page.emit(part, event, {})


async def _search_messages(page: Page, _scene: Scene, _number: int) -> None:
    """Search in the dialog of the room for what no message contains."""
    if _MESSAGE_SEARCH not in page.parts:
        await page.press_for("Search", _MESSAGE_SEARCH)
    await page.emit(_MESSAGE_SEARCH, "query", {"question": 1, "query": "none"})


async def _switch_rooms(page: Page, scene: Scene, number: int) -> None:
    """Search public rooms in the dialog of the keyboard, and pick one."""
    if _QUICK_SWITCH not in page.parts:
        await page.emit("nicegui-shortcuts", "switch", {})
        await page.wait_for(_QUICK_SWITCH)
    if number % 2:
        await page.emit(_QUICK_SWITCH, "pick", scene.lively_room)
    else:
        await page.emit(_QUICK_SWITCH, "query", "room")


async def _switch_preference(page: Page, _scene: Scene, number: int) -> None:
    """Hide and show the visitor in the settings, who is present in the room behind them."""
    if _SWITCH not in page.parts:
        await page.press_for("Settings", _SWITCH)
    await page.emit(_SWITCH, "change", number // 2 % 2 == 0)


async def _change_panel(page: Page, scene: Scene, _number: int) -> None:
    """Open the panel of the plugin, and press its button, which changes what all panels show."""
    if _TABS not in page.parts:  # another attack has left the room
        path = f"/api/v1/rooms/{scene.lively_room}/membership"
        await page.client.ask("PUT", path, token=page.token)
        await page.close()
        await page.open()
    if "Increase" not in page.parts:
        await page.emit(_TABS, "open", "target.show_count")
        await page.wait_for("Increase")
    await page.press("Increase")


WAYS = (
    _way(
        "a room's messages catch up",
        _full_room,
        _event("messages", "sync", _SYNC),
        ("messages", "sync"),
    ),
    _way(
        "a room's messages catch up, 1,000 keys",
        _full_room,
        _event("messages", "sync", {**_SYNC, "keys": [str(n) for n in range(1, 1_001)]}),
        ("messages", "sync"),
    ),
    _way(
        "a room's messages turn the page",
        _full_room,
        _event("messages", "page", {"question": 1, "before": "190"}),
        ("messages", "page"),
    ),
    _way(
        "a room's small lists catch up",
        _full_room,
        _sync_small,
        *_small_lists("facts", "present", "members", "profile"),
    ),
    _way(
        "own rooms catch up",
        _lobby,
        _event("sidebar", "sync", _SYNC),
        *_small_lists("sidebar"),
    ),
    _way(
        "public rooms catch up",
        _lobby,
        _event("card", "sync", _SYNC),
        ("card", "sync"),
        *_small_lists("hall"),
    ),
    _way(
        "public rooms turn the page",
        _lobby,
        _event("card", "page", {"question": 1}),
        ("card", "page"),
    ),
    _way(
        "messages searched",
        _full_room,
        _search_messages,
        ("Search", "click"),
        (_MESSAGE_SEARCH, "query"),
        allowed=("searches_per_visitor",),
    ),
    _way(
        "rooms switched",
        _lobby,
        _switch_rooms,
        ("nicegui-shortcuts", "switch"),
        (_QUICK_SWITCH, "query"),
        (_QUICK_SWITCH, "pick"),
        allowed=("joins_per_visitor",),
    ),
    _way(
        "read marks",
        _full_room,
        _event("messages", "read", lambda _, n: {"seq": 1 + n}),
        ("messages", "read"),
    ),
    _way(
        "messages deleted",
        _own_room,
        _post_and_delete,
        ("messages", "act"),
        allowed=("posts_per_visitor", "deletions_per_visitor"),
    ),
    _way(
        "members changed",
        _lobby,
        _change_members,
        ("members", "act"),
        ("messages", "act"),
        allowed=("moderation_per_visitor", "new_rooms_per_visitor", "joins_per_visitor"),
    ),
    _way(
        "messages edited",
        _own_room,
        _post_and_edit,
        ("nicegui-composer", "post"),
        allowed=("posts_per_visitor", "edits_per_visitor"),
    ),
    _way(
        "messages opened once",
        _own_room,
        _post_and_open,
        ("messages", "open"),
        allowed=("posts_per_visitor", "openings_per_visitor"),
    ),
    _way(
        "reactions",
        _full_room,
        _event("messages", "react", lambda _, n: {"key": "190", "emoji": "👍", "on": n % 2 == 0}),
        ("messages", "react"),
        allowed=("reactions_per_visitor",),
    ),
    _way(
        "answered messages found",
        _full_room,
        _event("messages", "find", {"ids": [f"{n:032x}" for n in range(20)]}),
        ("messages", "find"),
    ),
    _way(
        "rooms left in the list",
        _lobby,
        _leave_and_return,
        ("sidebar", "act"),
        allowed=("joins_per_visitor",),
    ),
    _way(
        "room said to have ended",
        _full_room,
        _event("messages", "ended", {"why": "expired"}),
        ("messages", "ended"),
        ("facts", "ended"),
    ),
    _way(
        "doors of a room said to have changed",
        _lively_room,
        _change_doors,
        ("facts", "doors"),
    ),
    _way(
        "posts",
        _full_room,
        _event("nicegui-composer", "post", lambda _, n: {"text": "x" * 200, "dedup": f"{uuid4()}"}),
        ("nicegui-composer", "post"),
        allowed=("posts_per_visitor",),
    ),
    _way(
        "typing signals",
        _full_room,
        _event("nicegui-composer", "typing", []),
        ("nicegui-composer", "typing"),
        allowed=("typing_per_visitor",),
    ),
    _way(
        "answers to transcripts",
        _full_room,
        _event("nicegui-composer", "answer", {"id": "none", "agrees": False}),
        ("nicegui-composer", "answer"),
    ),
    _way(
        "long posts",
        _full_room,
        _event(
            "nicegui-composer", "post", lambda _, n: {"text": "x" * 4_000, "dedup": f"{uuid4()}"}
        ),
        ("nicegui-composer", "post"),
        allowed=("posts_per_visitor",),
    ),
    _way(
        "commands",
        _full_room,
        _event(
            "nicegui-composer",
            "post",
            lambda _, n: {"text": COMMANDS[n % len(COMMANDS)], "dedup": f"{uuid4()}"},
        ),
        ("nicegui-composer", "post"),
        allowed=("commands_per_visitor", "posts_per_visitor"),
    ),
    _way("rooms searched", _lobby, _event(_ROOM_SEARCH, "query", "room"), (_ROOM_SEARCH, "query")),
    _way(
        "rooms opened by name",
        _lobby,
        _event(_ROOM_SEARCH, "open", lambda _, n: _unique("room *")),
        (_ROOM_SEARCH, "open"),
        allowed=("new_rooms_per_visitor",),
    ),
    _way(
        "rooms picked",
        _lobby,
        _event(_ROOM_SEARCH, "pick", lambda scene, _: scene.lively_room),
        (_ROOM_SEARCH, "pick"),
        allowed=("joins_per_visitor",),
    ),
    _way(
        "leaving undone",
        _lobby,
        _event(_LEFT_ROOM, "undo", lambda scene, _: scene.lively_room),
        (_LEFT_ROOM, "undo"),
        allowed=("joins_per_visitor",),
    ),
    _way(
        "rooms created",
        _lobby,
        _create_room,
        ("New room", "click"),
        allowed=("new_rooms_per_visitor",),
    ),
    _way(
        "rooms joined and left",
        _lively_room,
        _join_and_leave,
        ("Join room", "click"),
        ("Leave room", "click"),
        allowed=("joins_per_visitor",),
    ),
    _way(
        "rooms burnt",
        _lobby,
        _delete_room,
        ("Burn room", "click"),
        allowed=("new_rooms_per_visitor",),
    ),
    _way(
        "rooms changed",
        _lobby,
        _change_room,
        ("Room settings", "click"),
        allowed=("new_rooms_per_visitor",),
    ),
    _way("visitors forgotten", _lobby, _delete_visitor),
    _way("dialogs", _lobby, _open_dialog, *_OPENERS),
    _way(
        "preferences switched",
        _full_room,
        _switch_preference,
        (_SWITCH, "change"),
        allowed=("preferences_per_visitor",),
    ),
    _way(
        "invitations",
        _full_room,
        _event("Invite", "click", {}),
        ("Invite", "click"),
    ),
    _way(
        "panels opened",
        _full_room,
        _event(_TABS, "open", "target.show_count"),
        (_TABS, "open"),
    ),
    _way("panels changed", _lively_room, _change_panel),
    _way(
        "actions run",
        _full_room,
        _event(_ACTIONS, "act", "target.say"),
        (_ACTIONS, "act"),
        allowed=("posts_per_visitor",),
    ),
    _way(
        "actions run on messages",
        _full_room,
        _event("messages", "act", {"act": "target.repeat", "key": "190"}),
        ("messages", "act"),
        allowed=("posts_per_visitor",),
    ),
    _way(
        "answers and acknowledgements of NiceGUI",
        _full_room,
        _send("javascript_response", {"request_id": "1", "result": "x" * 10_000}),
    ),
    _way(
        "lobby opened on the page",
        _full_room,
        _event("q-layout", "sub_pages_open", "/"),
        ("q-layout", "sub_pages_open"),
    ),
    _way(
        "room opened on the page",
        _lobby,
        _event("q-layout", "sub_pages_navigate", lambda scene, _: f"/r/{scene.full_room}"),
        ("q-layout", "sub_pages_navigate"),
    ),
    _anonymous_way(
        "nicknames suggested",
        _login,
        _event("Suggest a nickname", "click", {}),
        ("Suggest a nickname", "click"),
        round=300,
    ),
    _anonymous_way(
        "what was purged catches up",
        _privacy,
        _event("purge_stats", "sync", _SYNC),
        *_small_lists("purge_stats"),
        round=500,
    ),
    _anonymous_way(
        "languages chosen",
        _privacy,
        _event("English", "click", {}),
        ("English", "click"),
        ("Русский", "click"),
        round=500,
    ),
)
