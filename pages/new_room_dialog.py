"""The dialog that creates a room, with all its options."""

from datetime import timedelta

from nicegui import html, ui

from anonchat import (
    Cost,
    InvalidLifetime,
    InvalidRoom,
    InvalidTopic,
    RoomNameConfusable,
    RoomNameTaken,
    format_duration,
    parse_duration,
)

from .context import current_context, current_visitor_id
from .elements.alert import Alert
from .elements.button import Button
from .elements.dialog import Dialog
from .elements.form import Fields, Form
from .elements.page_budget import current_budget
from .elements.room_search import NAME_CHARACTERS
from .elements.select import Select
from .elements.text_field import TextField
from .i18n.language import current_language

_TOPIC_CHARACTERS = 3_000
_MESSAGE_TTLS = ("1m", "10m", "1h", "24h", "7d", "30d")
_ROOM_TTLS = ("1h", "24h", "7d", "30d", "90d")


async def open_new_room_dialog() -> None:
    """Show the dialog; a created room is joined and opened."""
    _ = current_language()

    async def create(fields: Fields) -> None:
        await current_budget().spend(Cost.NEW_ROOM)
        try:
            room = await current_context().chat.rooms.create(
                fields.get("name", ""),
                visitor_id=current_visitor_id(),
                listed=fields.get("listed") != "no",
                message_ttl=_parse_ttl(fields.get("message_ttl")),
                room_ttl=_parse_ttl(fields.get("room_ttl")),
                topic=fields.get("topic", ""),
            )
        except InvalidTopic as error:
            topic.refuse(_.explain(error))
        except InvalidLifetime as error:
            alert.text = _.explain(error)
            for lifetime in lifetimes:
                lifetime.refuse(alert)
        except RoomNameConfusable as error:
            name.refuse(_.explain(error))
        except RoomNameTaken:
            name.refuse(_("There is a room of that name already. Open it from the lobby instead."))
        except InvalidRoom as error:
            name.refuse(_.explain(error))
        else:
            dialog.submit(room)
            ui.navigate.to(f"/r/{room.slug}")

    with Dialog(_("New room")) as dialog, Form(create):
        name = TextField(_("Name"), name="name", maxlength=NAME_CHARACTERS, autofocus=True)
        topic = TextField(
            _("What is it about? (optional)"), name="topic", maxlength=_TOPIC_CHARACTERS
        )
        Select(
            _("Who can find it"),
            name="listed",
            options={
                "yes": _("Everybody: it is listed in the lobby"),
                "no": _("Only those who have the link"),
            },
            value="yes",
        )
        with html.div().classes("pair"):
            lifetimes = _show_lifetimes()
        html.p(
            _(
                "Until somebody else has been in it, a quiet and empty room ends after {time} "
                "at most.",
                time=_.duration(current_context().chat.settings.new_room_ttl),
            )
        ).classes("hint")
        alert = Alert()
        Button(_("Create the room")).props("type=submit")
    await dialog


def _show_lifetimes() -> list[Select]:
    """Create the choices of the two lifetimes."""
    _, settings = current_language(), current_context().chat.settings
    message_ttl = min(settings.message_ttl, settings.room_ttl)
    return [
        Select(
            _("Messages disappear after"),
            name="message_ttl",
            options=_ttl_options(
                _MESSAGE_TTLS, default=message_ttl, max_lifetime=settings.message_ttl_max
            ),
            value=format_duration(message_ttl),
        ),
        Select(
            _("A quiet room ends after"),
            name="room_ttl",
            options=_ttl_options(
                _ROOM_TTLS, default=settings.room_ttl, max_lifetime=settings.room_ttl_max
            ),
            value=format_duration(settings.room_ttl),
        ),
    ]


def _ttl_options(
    ttls: tuple[str, ...], *, default: timedelta, max_lifetime: timedelta
) -> dict[str, str]:
    """Return the allowed lifetimes and `default`: their texts, by the values of the field."""
    _ = current_language()
    shortest = current_context().chat.settings.message_ttl_min
    durations = {parse_duration(ttl) for ttl in ttls} | {default}
    return {
        format_duration(duration): _.duration(duration)
        for duration in sorted(durations)
        if shortest <= duration <= max_lifetime or duration == default
    }


def _parse_ttl(duration: str | None) -> timedelta | None:
    try:
        return parse_duration(duration) if duration else None
    except ValueError:  # a forged form: use the default lifetime
        return None
