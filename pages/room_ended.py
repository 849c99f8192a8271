"""The notice that replaces a room that has ended."""

from typing import Any

from htpy import div, h1, p
from nicegui import ui

from .elements.screen import Screen
from .error_pages import lobby_link
from .i18n.language import Language

_REDIRECT_SECONDS = 8


def show_room_ended(
    screen: Screen, element_id: str, language: Language, event: dict[str, Any]
) -> None:
    """Replace an element by the reason why the room ended; go to the lobby after 8 s."""
    burnt = event.get("why") == "burnt"
    screen.replace(
        element_id,
        div(class_="talk", id=element_id, tabindex="-1")[
            div(class_="nothing", role="alert")[
                h1[language("This room was burnt.") if burnt else language("This room has ended.")],
                p[
                    language(
                        "Its owner, or whoever runs this site, has ended it. Everything said here "
                        "is gone, for everybody."
                    )
                    if burnt
                    else language("It was quiet for too long. Everything said here is gone.")
                ],
                lobby_link(language),
            ]
        ],
    )
    ui.run_javascript(f"setTimeout(() => location.assign('.'), {_REDIRECT_SECONDS} * 1000)")
