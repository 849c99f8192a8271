"""The fields with which the owner of a room decides about what is written there."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from nicegui import html

from anonchat import InvalidRules, RoomRules, format_duration, parse_duration

from .context import current_context
from .elements.checkbox import Checkbox
from .elements.form import Fields
from .elements.select import Select
from .elements.text_field import TextField
from .i18n.language import current_language

_PAUSES = ("10s", "30s", "1m", "5m", "15m", "1h")
_OFF = "off"
_WORDS_CHARACTERS = 6_000


class WritingFields:
    """Slow mode, pause, and the words that are not wanted, separated by commas."""

    def __init__(self, rules: RoomRules) -> None:
        _ = current_language()
        Select(
            _("Slow mode"),
            name="slow_mode",
            options=_list_pauses(rules.slow_mode),
            value=format_duration(rules.slow_mode) if rules.slow_mode else _OFF,
        )
        Checkbox(_("Only helpers may write"), name="paused", checked=rules.paused)
        self._words = TextField(
            _("Words not wanted"),
            name="unwanted",
            value=", ".join(rules.unwanted),
            maxlength=_WORDS_CHARACTERS,
        )
        html.p(
            _(
                "Separated by commas. A message with one of them, or a word that looks like one, "
                "is refused."
            )
        ).classes("hint")

    @contextmanager
    def report_errors(self) -> Iterator[None]:
        """Show what is wrong with the words beside them; other errors propagate."""
        try:
            yield
        except InvalidRules as error:
            if error.details.get("rule", "unwanted") != "unwanted":
                raise
            self._words.refuse(current_language().explain(error))

    def read(self, fields: Fields) -> dict[str, Any]:
        """Return the changes for `RoomEditor.update`."""
        return {
            "slow_mode": _parse_pause(fields.get("slow_mode")),
            "paused": fields.get("paused") == "yes",
            "unwanted": fields.get("unwanted", "").split(","),
        }


def _list_pauses(current: timedelta) -> dict[str, str]:
    """Return the allowed times between two messages and the current one: texts by value."""
    _, most = current_language(), current_context().chat.settings.slow_mode_max
    pauses = {pause for each in _PAUSES if (pause := parse_duration(each)) <= most}
    pauses |= {current} if current else set()
    texts = {
        format_duration(pause): _("One message each {time}", time=_.duration(pause))
        for pause in sorted(pauses)
    }
    return {_OFF: _("Off"), **texts}


def _parse_pause(duration: str | None) -> timedelta | None:
    """Return the time that was chosen; `None` if the form was forged."""
    if duration == _OFF:
        return timedelta()
    try:
        return parse_duration(duration) if duration else None
    except ValueError:
        return None
