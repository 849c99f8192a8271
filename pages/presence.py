"""A screen's part in `chat.presence`."""

import asyncio

from nicegui import ui

from anonchat import Cost, LimitReached, Member

from .live.work import PageWork
from .site import Site

_GRACE_SECONDS = 3.0


def follow_presence(site: Site, member: Member) -> None:
    """Let the member be here while this screen is connected; a short blink is no leaving."""
    client, presence = ui.context.client, site.chat.presence
    work = PageWork(site.chat.work, client.request)

    async def come() -> None:
        cost = Cost.PRESENCE + site.cost_of_telling(member.room_id)
        try:
            await work.wait(2 * cost)  # whoever comes goes again
        except LimitReached:
            return
        if not client.has_socket_connection:
            return
        if await site.chat.memberships.has(member.room_id, member.visitor_id):
            await presence.enter(member, screen=client.id)

    async def pause() -> None:
        await asyncio.sleep(_GRACE_SECONDS)
        if not client.has_socket_connection:
            await presence.leave(member, screen=client.id)

    async def go() -> None:
        await presence.leave(member, screen=client.id)

    client.on_connect(come)
    client.on_disconnect(pause)
    client.on_delete(go)
