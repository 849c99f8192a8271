"""What is known of a room: how long its messages and it live."""

from anonchat import Room

from .language import Language
from .live.feed import Feed, whole_feed
from .news import facts_of
from .rows import facts_row
from .site import Site


def show_facts(site: Site, viewer: str, language: Language, room: Room) -> Feed:
    """Show the facts of a room, as they are from now on."""
    return whole_feed(
        site.feeds,
        facts_of(room.id),
        lambda: [
            facts_row(glance, language=language)
            for glance in [site.chat.lobby.glance(room.id)]
            if glance
        ],
        tag="div",
        language=language,
        viewer=viewer,
    )
