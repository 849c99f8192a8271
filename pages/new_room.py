"""The dialog with all choices for a new room."""

from datetime import timedelta
from functools import cache

from htpy import div, p
from markupsafe import Markup
from nicegui import ui

from anonchat import (
    ChatError,
    Cost,
    InvalidLifetime,
    InvalidTopic,
    RoomNameConfusable,
    RoomNameTaken,
    Settings,
    Visitor,
    format_duration,
    parse_duration,
)

from .controls import alert, button, choice, dialog, field, form
from .language import Language
from .live.finder import NAME_CHARACTERS
from .live.screen import Fields, Screen
from .site import Site

_MESSAGE_LIVES = ("1m", "10m", "1h", "24h", "7d", "30d")
_ROOM_LIVES = ("1h", "24h", "7d", "30d", "90d")


def new_room(site: Site, visitor: Visitor, language: Language, screen: Screen) -> Markup:
    """Draw the dialog, closed; what it makes is opened."""

    async def create(fields: Fields) -> None:
        try:
            await screen.work.spend(Cost.NEW_ROOM)
            room = await site.chat.rooms.create(
                fields.get("name", ""),
                visitor_id=visitor.id,
                listed=fields.get("listed") != "no",
                message_ttl=_read(fields.get("message_ttl")),
                room_ttl=_read(fields.get("room_ttl")),
                topic=fields.get("topic", ""),
            )
            await site.chat.memberships.join(room.id, visitor_id=visitor.id)
        except RoomNameConfusable as error:
            screen.refuse("name", language.explain(error))
        except RoomNameTaken:
            screen.refuse(
                "name",
                language("There is a room of that name already. Open it from the lobby instead."),
            )
        except InvalidTopic as error:
            screen.refuse("topic", language.explain(error))
        except InvalidLifetime as error:
            screen.say("lives", language.explain(error))
        except ChatError as error:
            screen.refuse("name", language.explain(error))
        else:
            ui.navigate.to(f"/r/{room.slug}")

    screen.answer("create", create)
    return _draw(site.chat.settings, language)


@cache
def _draw(settings: Settings, language: Language) -> Markup:
    usual_message_ttl = min(settings.message_ttl, settings.room_ttl)
    return dialog(
        "new-room",
        language("New room"),
        form(
            field(language("Name"), name="name", maxlength=NAME_CHARACTERS, autofocus=True),
            field(language("What is it about? (optional)"), name="topic", maxlength=3_000),
            choice(
                language("Who can find it"),
                name="listed",
                options=[
                    ("yes", language("Everybody: it is listed in the lobby")),
                    ("no", language("Only those who have the link")),
                ],
                chosen="yes",
            ),
            div(class_="pair")[
                choice(
                    language("Messages disappear after"),
                    name="message_ttl",
                    options=_lives(
                        _MESSAGE_LIVES,
                        language,
                        usual=usual_message_ttl,
                        least=settings.message_ttl_min,
                        most=settings.message_ttl_max,
                    ),
                    chosen=format_duration(usual_message_ttl),
                ),
                choice(
                    language("A quiet room ends after"),
                    name="room_ttl",
                    options=_lives(
                        _ROOM_LIVES,
                        language,
                        usual=settings.room_ttl,
                        least=settings.message_ttl_min,
                        most=settings.room_ttl_max,
                    ),
                    chosen=format_duration(settings.room_ttl),
                ),
            ],
            p(class_="hint")[
                language(
                    "Until somebody else has been in it, a quiet and empty room ends after {time} "
                    "at most.",
                    time=language.duration(settings.new_room_ttl),
                )
            ],
            alert("lives"),
            button(language("Create the room"), type="submit"),
            calls="create",
        ),
        close_label=language("Close"),
    ).__html__()


def _lives(
    lives: tuple[str, ...],
    language: Language,
    *,
    usual: timedelta,
    least: timedelta,
    most: timedelta,
) -> list[tuple[str, str]]:
    durations = {parse_duration(life) for life in lives} | {usual}
    return [
        (format_duration(duration), language.duration(duration))
        for duration in sorted(durations)
        if least <= duration <= most or duration == usual
    ]


def _read(duration: str | None) -> timedelta | None:
    try:
        return parse_duration(duration) if duration else None
    except ValueError:  # a forged form: the usual lifetime will do
        return None
