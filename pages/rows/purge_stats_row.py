"""Rows of the purge statistics."""

from htpy import Element, li, span

from anonchat import Language, PurgeStats

from .row import Row, unix_milliseconds

PURGE_STATS_LINES = 4


def purge_stats_rows(stats: PurgeStats, *, language: Language) -> list[Row]:
    """Draw the purge statistics, one row per line."""
    lines = [
        li[
            language.count("{n} message forgotten", "{n} messages forgotten", stats.messages),
            ", ",
            language.count("{n} room", "{n} rooms", stats.rooms),
            ", ",
            language.count("{n} visitor", "{n} visitors", stats.visitors),
        ],
        _line(language("Last round {time}", time="{}"), since=unix_milliseconds(stats.purged_at)),
        _line(
            language("The oldest message that is still kept was posted {time}", time="{}"),
            since=unix_milliseconds(stats.oldest),
        )
        if stats.oldest
        else li[language("No message was kept at that moment")],
        _line(
            language("Next round in {time}", time="{}"),
            left=unix_milliseconds(stats.next_purge),
        ),
    ]
    return [Row(str(number), number, str(line)) for number, line in enumerate(lines)]


def _line(text: str, **moment: str) -> Element:
    """Draw a text; the browser replaces its `{}` by the time until or since the moment."""
    return li[span({f"data-{name}": value for name, value in moment.items()}, data_say=text)]
