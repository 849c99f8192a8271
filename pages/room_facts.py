"""The facts of a room: the lifetimes of the room and its messages."""

from anonchat import Room

from .context import PageContext
from .elements.live_list import LiveList, snapshot_list
from .feeds.topics import facts_topic
from .i18n.language import Language
from .rows import facts_row


def room_facts_list(context: PageContext, viewer: str, language: Language, room: Room) -> LiveList:
    """Return a live list that shows the facts of a room."""
    return snapshot_list(
        context.feeds,
        facts_topic(room.id),
        lambda: [
            facts_row(summary, language=language)
            for summary in [context.chat.room_directory.summary(room.id)]
            if summary
        ],
        tag="div",
        language=language,
        viewer=viewer,
    )
