"""A listener: the owner of a room is told who came in."""

from anonchat.plugins import Chat, MemberJoined, Plugin

plugin = Plugin("doorbell")


@plugin.on(MemberJoined)
async def ring(event: MemberJoined, chat: Chat) -> None:
    if event.member.is_owner:
        return
    for member in await chat.list_members(event.room):
        if member.is_owner:
            await chat.tell(event.room, member, f"{event.member.nickname} came in.")
