"""A room: the conversation for members, the join panel for other visitors."""

from functools import partial
from typing import Any

from nicegui import html

from anonchat import Cost, Member, Room, Visitor, may_moderate

from .context import current_context, current_visitor_id
from .elements.alert import Alert
from .elements.button import Button, IconButton
from .elements.composer import Composer
from .elements.page_budget import current_budget
from .elements.panel_button import PanelButton
from .elements.side_tabs import SideTabs
from .elements.sub_pages import current_sub_page
from .empty_room import EmptyRoom
from .i18n.language import current_language
from .invite_dialog import InviteDialog
from .join_panel import show_join_panel
from .layout import show_title
from .lists import MemberList, MessageList, PresenceCount, RoomFacts
from .order_actions import OrderActions
from .room_actions import RoomActions
from .room_dialogs import confirm_burning
from .room_ended import show_room_ended
from .room_panels import show_room_panels
from .room_presence import stay_present
from .room_refusal import show_refusal
from .room_settings_dialog import open_room_settings
from .search_dialog import open_search
from .settings_dialog import open_settings
from .waiting_list import WaitingList

_BELOW_HEADER = 2  # after the header and its alert


async def room(slug: str, visitor: Visitor) -> None:
    """Create the page of a room. Raises `NotFound`."""
    chat = current_context().chat
    found = await chat.room_directory.find(slug)
    await subscribe_to_room(found)
    show_title(found.name)
    member = await chat.memberships.get(found.id, visitor_id=visitor.id)
    if member is None:
        if not await show_refusal(found):
            await show_join_panel(found)
        return
    stay_present(member)
    await _show_conversation(found, member)


async def subscribe_to_room(room: Room) -> None:
    """Subscribe this node to the room while it is shown; call this before reading it."""
    bus = current_context().chat.bus
    await bus.subscribe_room(room.id)
    current_sub_page().on_delete(lambda: bus.unsubscribe_room(room.id))


async def _show_conversation(room: Room, member: Member) -> None:
    with html.div().classes("talk").props("tabindex=-1") as talk:
        header = html.header()
        alert = Alert()
        messages = MessageList(room, member)
        invite = InviteDialog(room, member)
        empty = EmptyRoom(room, on_invite=invite.open)
        composer = Composer(room, member, messages=messages)
    actions = RoomActions(room, member, tell=composer.tell)
    actions.add_to_menus(messages)
    panel, members = _show_panels(room, member)
    orders = OrderActions(room, member, fail=messages.fail_action)
    orders.add_to_menus(messages, members)
    with header:
        facts = _show_header(room, member, messages, panel, actions, invite, alert)

    def end(event: dict[str, Any]) -> None:
        panel.delete()
        show_room_ended(talk, event, storage_key=composer.storage_key)

    waiting = WaitingList(room, place=talk, index=_BELOW_HEADER)

    async def update_doors(_event: dict[str, Any]) -> None:
        empty.update()
        await invite.refresh()
        await waiting.refresh()

    for part in (messages, facts):
        part.on_event("ended", end)
    if may_moderate(member, room):
        facts.on_event("doors", update_doors)
        await waiting.refresh()


def _show_header(
    room: Room,
    member: Member,
    messages: MessageList,
    panel: SideTabs,
    actions: RoomActions,
    invite: InviteDialog,
    alert: Alert,
) -> RoomFacts:
    _, is_owner = current_language(), member.author == room.owner
    html.a(href=".").classes("button icon-only quiet icon-back back").props["aria-label"] = _(
        "Back to the lobby"
    )
    facts = RoomFacts(room)
    actions.show_buttons(alert)
    IconButton("link", _("Invite"), on_click=invite.open)
    IconButton("search", _("Search"), on_click=partial(open_search, room, messages))
    PanelButton("people", _("Members"), panel)
    if is_owner:
        IconButton("settings", _("Room settings"), on_click=partial(open_room_settings, room))
        IconButton("flame", _("Burn room"), on_click=partial(confirm_burning, room)).classes(
            "not-phone"
        )
    IconButton("leave", _("Leave room"), on_click=partial(_leave, room, alert))
    return facts


def _show_panels(room: Room, member: Member) -> tuple[SideTabs, MemberList]:
    _ = current_language()
    with show_room_panels(room, member).classes("members") as panel:
        with panel.add_slot("end"):
            PanelButton("close", _("Close"), panel)
        with html.h2(_("Members")):
            total = html.span()
            PresenceCount(room)
        members = MemberList(room, member, total=total)
        Button(_("Settings"), kind="quiet only-phone", on_click=open_settings)
    return panel, members


async def _leave(room: Room, alert: Alert) -> None:
    """Leave the room; the event leads all pages of the member to the lobby."""
    context = current_context()
    with alert.report_errors():
        await current_budget().wait(Cost.JOIN + context.broadcast_cost(room.id))
        await context.chat.memberships.leave(room.id, visitor_id=current_visitor_id())
