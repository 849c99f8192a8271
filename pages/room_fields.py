"""The fields that a new room and the settings of a room have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from nicegui import html

from anonchat import InvalidLifetime, InvalidRoom, InvalidTopic, format_duration, parse_duration

from .context import current_context
from .elements.alert import Alert
from .elements.room_search import NAME_CHARACTERS
from .elements.select import Select
from .elements.text_field import TextField
from .i18n.language import current_language

_TOPIC_CHARACTERS = 3_000
_MESSAGE_TTLS = ("1m", "10m", "1h", "24h", "7d", "30d")
_ROOM_TTLS = ("1h", "24h", "7d", "30d", "90d")


class RoomFields:
    """Name and topic, and below them, with `show_lifetimes`, the lifetimes."""

    def __init__(self, *, name: str = "", topic: str = "") -> None:
        _ = current_language()
        self.name = TextField(
            _("Name"), name="name", value=name, maxlength=NAME_CHARACTERS, autofocus=True
        )
        self._topic = TextField(
            _("What is it about? (optional)"),
            name="topic",
            value=topic,
            maxlength=_TOPIC_CHARACTERS,
        )

    def show_lifetimes(self, *, message_ttl: timedelta, room_ttl: timedelta, hint: str) -> None:
        """Create the choices of the two lifetimes."""
        _, settings = current_language(), current_context().chat.settings
        with html.div().classes("pair"):
            self._lifetimes = [
                Select(
                    _("Messages disappear after"),
                    name="message_ttl",
                    options=_list_ttls(_MESSAGE_TTLS, message_ttl, settings.message_ttl_max),
                    value=format_duration(message_ttl),
                ),
                Select(
                    _("A quiet room ends after"),
                    name="room_ttl",
                    options=_list_ttls(_ROOM_TTLS, room_ttl, settings.room_ttl_max),
                    value=format_duration(room_ttl),
                ),
            ]
        html.p(hint).classes("hint")
        self._alert = Alert()

    @contextmanager
    def report_errors(self) -> Iterator[None]:
        """Show what is wrong with a field beside it; other errors propagate."""
        _ = current_language()
        try:
            yield
        except InvalidTopic as error:
            self._topic.refuse(_.explain(error))
        except InvalidLifetime as error:
            self._alert.show_error(error)
            for lifetime in self._lifetimes:
                lifetime.refuse(self._alert)
        except InvalidRoom as error:
            self.name.refuse(_.explain(error))


def parse_ttl(duration: str | None) -> timedelta | None:
    """Return a lifetime that was chosen, or `None` if the form was forged."""
    try:
        return parse_duration(duration) if duration else None
    except ValueError:
        return None


def _list_ttls(
    ttls: tuple[str, ...], current: timedelta, max_lifetime: timedelta
) -> dict[str, str]:
    """Return the allowed lifetimes and the current one: their texts, by the values of the field."""
    _ = current_language()
    shortest = current_context().chat.settings.message_ttl_min
    durations = {parse_duration(ttl) for ttl in ttls} | {current}
    return {
        format_duration(duration): _.duration(duration)
        for duration in sorted(durations)
        if shortest <= duration <= max_lifetime or duration == current
    }
