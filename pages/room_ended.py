"""The notice that replaces a room that has ended."""

from typing import Any

from htpy import div, h1, label, p, textarea

from .elements.screen import Screen
from .error_pages import lobby_link
from .i18n.language import Language


def show_room_ended(
    screen: Screen,
    element_id: str,
    language: Language,
    event: dict[str, Any],
    *,
    draft_key: str = "",
) -> None:
    """Replace an element by the reason why the room ended, and the text of the draft, if any."""
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
            ],
            draft_key
            and div(class_="labelled unsent")[
                label(for_="unsent")[language("What you were writing")],
                textarea(id="unsent", readonly=True, data_stored=draft_key),
            ],
        ],
    )
