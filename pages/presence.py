"""Reports a page's connection to `chat.presence`."""

import asyncio

from nicegui import ui

from anonchat import Cost, LimitReached, Member

from .context import PageContext
from .elements.page_budget import PageBudget

_GRACE_SECONDS = 3.0


def track_presence(context: PageContext, member: Member) -> None:
    """Mark the member present while this page is connected; ignore disconnections up to 3 s."""
    client, presence = ui.context.client, context.chat.presence
    work = PageBudget(context.chat.work_budget, client.request)

    async def on_connect() -> None:
        cost = Cost.PRESENCE + context.broadcast_cost(member.room_id)
        try:
            await work.wait(2 * cost)  # leaving is charged in advance
        except LimitReached:
            return
        if not client.has_socket_connection:
            return
        if await context.chat.memberships.is_member(member.room_id, member.visitor_id):
            await presence.enter(member, page_id=client.id)

    async def on_disconnect() -> None:
        await asyncio.sleep(_GRACE_SECONDS)
        if not client.has_socket_connection:
            await presence.leave(member, page_id=client.id)

    async def on_delete() -> None:
        await presence.leave(member, page_id=client.id)

    client.on_connect(on_connect)
    client.on_disconnect(on_disconnect)
    client.on_delete(on_delete)
