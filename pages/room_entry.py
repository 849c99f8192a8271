"""Ways into a room: the search box, and joining."""

from nicegui import ui

from anonchat import Cost, DoorClosed, Room

from .context import current_context, current_visitor_id
from .elements.dialog import Dialog
from .elements.page_budget import current_budget
from .elements.quick_switch import QuickSwitch
from .elements.room_search import RoomSearch
from .http.client_address import client_address
from .i18n.language import current_language

_MATCHES_MAX = 8


def show_room_search(*, with_button: bool = False) -> None:
    """Create the box that finds or creates a room, joins it and opens it."""
    directory = current_context().chat.room_directory
    RoomSearch(
        rooms=lambda: directory.count()[1],
        search=lambda words: directory.search(words, limit=_MATCHES_MAX),
        open=_enter_named_room,
        pick=enter_found_room,
        with_button=with_button,
    )


async def open_quick_switch() -> None:
    """Show the dialog that leads to a room, until one is open or the dialog is closed."""
    directory = current_context().chat.room_directory
    with Dialog(current_language()("Go to a room")) as dialog:
        QuickSwitch(
            rooms=lambda: directory.count()[1],
            search=lambda words: directory.search(words, limit=_MATCHES_MAX),
            pick=enter_found_room,
        )
    await dialog


async def join_room(room: Room, *, password: str = "", invite: str = "") -> None:
    """Join a room, and open it."""
    context = current_context()
    cost = Cost.JOIN + (Cost.PASSWORD if password else 0)
    await current_budget().spend(cost + context.broadcast_cost(room.id))
    await context.chat.memberships.join(
        room.id,
        visitor_id=current_visitor_id(),
        password=password,
        invite=invite,
        address=client_address(ui.context.client.request),
    )
    ui.navigate.to(f"/r/{room.slug}")


async def enter_found_room(slug: str) -> None:
    """Join the room of that slug, and open it; if it is not open to all, its page says so."""
    await _enter(await current_context().chat.rooms.find(slug))


async def _enter_named_room(name: str) -> None:
    """Open the room of that name, or create it; join it and open it."""
    await current_budget().spend(Cost.NEW_ROOM)
    chat = current_context().chat
    await _enter(await chat.rooms.open(name, visitor_id=current_visitor_id()))


async def _enter(room: Room) -> None:
    try:
        await join_room(room)
    except DoorClosed:
        ui.navigate.to(f"/r/{room.slug}")
