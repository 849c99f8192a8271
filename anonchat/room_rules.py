"""The bounds of the rules that an owner gives to a room."""

from datetime import timedelta

from .durations import format_duration
from .entities import RoomRules
from .errors import N_, InvalidRules
from .settings import Settings

_MEMBERS_MIN = 2


def check_rules(settings: Settings, rules: RoomRules) -> None:
    """Raise `InvalidRules` if one of the rules is out of the bounds of the settings."""
    most = settings.members_per_room_max
    if rules.members_max and not _MEMBERS_MIN <= rules.members_max <= most:
        raise InvalidRules(
            N_("That has to be between {least} and {most}."),
            rule="members_max",
            least=_MEMBERS_MIN,
            most=most,
        )
    if not timedelta() <= rules.slow_mode <= settings.slow_mode_max:
        raise InvalidRules(
            N_("That is too long: {most} at most."),
            rule="slow_mode",
            most=format_duration(settings.slow_mode_max),
        )
    if len(rules.unwanted) > settings.unwanted_words_max:
        raise InvalidRules(
            N_("Those are too many words; {most} at most."),
            rule="unwanted",
            most=settings.unwanted_words_max,
        )
