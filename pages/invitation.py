"""The page of an invitation: whoever has its link comes into the room."""

from fastapi import HTTPException

from anonchat import Chat, Room, Visitor

from .context import current_context
from .join_panel import show_join_panel
from .layout import show_title
from .room import subscribe_to_room


async def invitation(code: str, visitor: Visitor) -> None:
    """Create the page of an invitation. Raises `InviteGone`; members are led to their room."""
    found = await find_invited_room(current_context().chat, code, visitor)
    await subscribe_to_room(found)
    show_title(found.name)
    await show_join_panel(found, invite=code)


async def find_invited_room(chat: Chat, code: str, visitor: Visitor) -> Room:
    """Return the room; raise `InviteGone`, or the redirect of a member."""
    found = await chat.doors.find_invited(code)
    if await chat.memberships.is_member(found.id, visitor_id=visitor.id):
        raise HTTPException(303, headers={"Location": f"/r/{found.slug}"})
    return found
