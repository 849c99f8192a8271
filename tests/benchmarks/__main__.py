"""`python -m tests.benchmarks [NAME…]`: prints what was named; without a name, writes the page."""

import argparse
import asyncio
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path

import uvloop

from tests.benchmarks import (
    browser,
    fanout,
    flood,
    opening,
    posting,
    purging,
    rooms,
    stalling,
)
from tests.benchmarks.lab import Lab
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.report import describe, write_report

_MEASURES = {
    "fanout": fanout.measure,
    "posting": posting.measure,
    "opening": opening.measure,
    "rooms": rooms.measure,
    "purging": purging.measure,
    "flood": flood.measure,
    "stalling": stalling.measure,
    "browser": browser.measure,
}
_LONGEST_SECONDS = 300


def main() -> None:
    """Measure what was asked for."""
    arguments = _read_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers are ended too
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each screen is two sockets
    load_before = os.getloadavg()[0]
    outcomes = {}
    for name in arguments.names or _MEASURES:
        started = time.monotonic()
        print(f"{name} …", end=" ", flush=True)
        outcomes[name] = uvloop.run(_measure(name, arguments.scale))
        print(f"{time.monotonic() - started:.0f} s", flush=True)
    if arguments.names or arguments.scale != 1:
        print(describe(outcomes))
    else:
        print(f"written: {write_report(outcomes, load_before=load_before)}")
    if any(outcome.failure for outcome in outcomes.values()):
        sys.exit(1)


async def _measure(name: str, scale: float) -> Outcome:
    """Measure one thing; what goes wrong with it is part of the report."""
    with tempfile.TemporaryDirectory(prefix="anonchat-bench-") as folder:
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                return await _MEASURES[name](Lab(Path(folder), scale))
        except Exception as error:
            traceback.print_exc()
            return Outcome(failure=f"{type(error).__name__}: {error}")


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_MEASURES))
    parser.add_argument("--scale", type=float, default=1.0, help="less of everything: 0.1")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - _MEASURES.keys():
        parser.error(f"there is no measure called {', '.join(unknown)}")
    return arguments


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
