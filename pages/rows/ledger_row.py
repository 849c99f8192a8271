"""How the ledger looks: what was forgotten, as counts."""

from htpy import Element, li, span

from anonchat import Tally

from ..language import Language
from .moment import milliseconds
from .row import Row

LEDGER_LINES = 4


def ledger_rows(tally: Tally, *, language: Language) -> list[Row]:
    """Draw what the ledger says, a line each."""
    lines = [
        li[
            language.count("{n} message forgotten", "{n} messages forgotten", tally.messages),
            ", ",
            language.count("{n} room", "{n} rooms", tally.rooms),
            ", ",
            language.count("{n} visitor", "{n} visitors", tally.visitors),
        ],
        _moment(language("Last round {time}", time="{}"), since=milliseconds(tally.purged_at)),
        _moment(
            language("The oldest message that is still kept was posted {time}", time="{}"),
            since=milliseconds(tally.oldest),
        )
        if tally.oldest
        else li[language("No message was kept at that moment")],
        _moment(language("Next round in {time}", time="{}"), left=milliseconds(tally.next_purge)),
    ]
    return [Row(str(number), number, str(line)) for number, line in enumerate(lines)]


def _moment(say: str, **moment: str) -> Element:
    """Draw a sentence whose `{}` is a moment; the browser says how far away it is."""
    return li[span({f"data-{name}": value for name, value in moment.items()}, data_say=say)]
