"""`python -m tests.benchmarks [NAME…]`: prints what was named; without a name, writes the page."""

from contextlib import suppress

from tests.benchmarks import (
    browser,
    fanout,
    flood,
    leaks,
    opening,
    posting,
    purging,
    rooms,
    stalling,
)
from tests.benchmarks.report import write_page
from tests.benchmarks.running import run

_MEASURES = {
    "fanout": fanout.measure,
    "posting": posting.measure,
    "opening": opening.measure,
    "rooms": rooms.measure,
    "purging": purging.measure,
    "flood": flood.measure,
    "leaks": leaks.measure,
    "stalling": stalling.measure,
    "browser": browser.measure,
}
_BY_NAME_ALONE = ("leaks",)  # it takes too long for the others to wait for it

if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        run(
            _MEASURES,
            write=write_page,
            prog="python -m tests.benchmarks",
            about=__doc__,
            by_name_alone=_BY_NAME_ALONE,
        )
