"""How a screen takes leave of a room that is no more."""

from typing import Any

from htpy import div, h1, p
from nicegui import ui

from .errors import way_back
from .language import Language
from .live.screen import Screen

_SECONDS = 8


def lead_away(screen: Screen, place: str, language: Language, news: dict[str, Any]) -> None:
    """Say why the room is gone, with everything that was shown of it, and go to the lobby."""
    burnt = news.get("why") == "burnt"
    screen.replace(
        place,
        div(class_="talk")[
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
                way_back(language),
            ]
        ],
    )
    ui.run_javascript(f"setTimeout(() => location.assign('/'), {_SECONDS} * 1000)")
