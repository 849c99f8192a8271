"""The dialog that creates a room, with all its options."""

from datetime import timedelta
from functools import cache

from htpy import div, p
from markupsafe import Markup
from nicegui import ui

from anonchat import (
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

from .context import PageContext
from .controls import alert, button, choice, dialog, field, form
from .elements.room_search import NAME_CHARACTERS
from .elements.screen import Fields, Screen
from .i18n.language import Language

_MESSAGE_TTLS = ("1m", "10m", "1h", "24h", "7d", "30d")
_ROOM_TTLS = ("1h", "24h", "7d", "30d", "90d")


def new_room_dialog(
    context: PageContext, visitor: Visitor, language: Language, screen: Screen
) -> Markup:
    """Draw the closed dialog; a created room is joined and opened."""

    async def create(fields: Fields) -> None:
        try:
            await screen.work.spend(Cost.NEW_ROOM)
            room = await context.chat.rooms.create(
                fields.get("name", ""),
                visitor_id=visitor.id,
                listed=fields.get("listed") != "no",
                message_ttl=_parse_ttl(fields.get("message_ttl")),
                room_ttl=_parse_ttl(fields.get("room_ttl")),
                topic=fields.get("topic", ""),
            )
        except RoomNameConfusable as error:
            screen.show_field_error("name", language.explain(error))
        except RoomNameTaken:
            screen.show_field_error(
                "name",
                language("There is a room of that name already. Open it from the lobby instead."),
            )
        except InvalidTopic as error:
            screen.show_field_error("topic", language.explain(error))
        except InvalidLifetime as error:
            screen.show_field_error("lives", language.explain(error))
        else:
            ui.navigate.to(f"/r/{room.slug}")

    screen.on_call("create", create)
    return _draw(context.chat.settings, language)


@cache
def _draw(settings: Settings, language: Language) -> Markup:
    default_message_ttl = min(settings.message_ttl, settings.room_ttl)
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
                selected="yes",
            ),
            div(class_="pair")[
                choice(
                    language("Messages disappear after"),
                    name="message_ttl",
                    options=_ttl_options(
                        _MESSAGE_TTLS,
                        language,
                        default=default_message_ttl,
                        shortest=settings.message_ttl_min,
                        max_lifetime=settings.message_ttl_max,
                    ),
                    selected=format_duration(default_message_ttl),
                    alert="lives",
                ),
                choice(
                    language("A quiet room ends after"),
                    name="room_ttl",
                    options=_ttl_options(
                        _ROOM_TTLS,
                        language,
                        default=settings.room_ttl,
                        shortest=settings.message_ttl_min,
                        max_lifetime=settings.room_ttl_max,
                    ),
                    selected=format_duration(settings.room_ttl),
                    alert="lives",
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


def _ttl_options(
    ttls: tuple[str, ...],
    language: Language,
    *,
    default: timedelta,
    shortest: timedelta,
    max_lifetime: timedelta,
) -> list[tuple[str, str]]:
    durations = {parse_duration(ttl) for ttl in ttls} | {default}
    return [
        (format_duration(duration), language.duration(duration))
        for duration in sorted(durations)
        if shortest <= duration <= max_lifetime or duration == default
    ]


def _parse_ttl(duration: str | None) -> timedelta | None:
    try:
        return parse_duration(duration) if duration else None
    except ValueError:  # a forged form: use the default lifetime
        return None
