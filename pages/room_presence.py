"""The presence of a member while their page shows the room."""

import asyncio

from anonchat import Cost, LimitReached, Member

from .context import current_context
from .elements.page_budget import current_budget
from .elements.sub_pages import current_sub_page

_GRACE_SECONDS = 3.0


def stay_present(member: Member) -> None:
    """Mark a member present while the sub page that is being built is shown and connected.

    Disconnections of up to 3 s are ignored.
    """
    context, budget, page = current_context(), current_budget(), current_sub_page()
    client, presence = page.client, context.chat.presence

    async def enter() -> None:
        cost = Cost.PRESENCE + context.broadcast_cost(member.room_id)
        try:
            await budget.wait(2 * cost)  # leaving is charged in advance
        except LimitReached:
            return
        if page.is_deleted or not client.has_socket_connection:
            return
        if current := await context.chat.memberships.get(member.room_id, member.visitor_id):
            await presence.enter(current, page_id=client.id)

    async def leave_if_gone() -> None:
        await asyncio.sleep(_GRACE_SECONDS)
        if not client.has_socket_connection:
            await presence.leave(member, page_id=client.id)

    page.on_connect(enter)
    page.on_disconnect(leave_if_gone)
    page.on_delete(lambda: presence.leave(member, page_id=client.id))
