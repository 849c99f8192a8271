"""`python -m benchmarks [NAME…]`: prints the named measures; without names, writes the page."""

from contextlib import suppress

from benchmarks import (
    browser,
    fanout,
    flood,
    idle_plugins,
    leaks,
    navigation,
    opening,
    posting,
    purging,
    rooms,
    small_rooms,
    stalling,
)
from benchmarks.report import write_page
from benchmarks.running import run

_MEASURES = {
    "fanout": fanout.measure,
    "posting": posting.measure,
    "opening": opening.measure,
    "idle_plugins": idle_plugins.measure,
    "rooms": rooms.measure,
    "small_rooms": small_rooms.measure,
    "purging": purging.measure,
    "flood": flood.measure,
    "leaks": leaks.measure,
    "stalling": stalling.measure,
    "browser": browser.measure,
    "navigation": navigation.measure,
}
_ONLY_BY_NAME = ("leaks",)  # takes too long for a full run

if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        run(
            _MEASURES,
            write=write_page,
            prog="python -m benchmarks",
            description=__doc__,
            only_by_name=_ONLY_BY_NAME,
        )
