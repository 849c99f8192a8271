"""How measures are run, one after the other: what they find is printed, or written to a page."""

import argparse
import asyncio
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Container, Mapping
from pathlib import Path

import uvloop

from tests.benchmarks.lab import Lab
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.report import describe

Measures = Mapping[str, Callable[[Lab], Awaitable[Outcome]]]
Write = Callable[[Mapping[str, Outcome], float], Path]
_LONGEST_SECONDS = 300
_LONGEST_SECONDS_ALONE = 1_200


def run(
    measures: Measures,
    *,
    write: Write,
    prog: str,
    about: str | None,
    by_name_alone: Container[str] = (),
) -> None:
    """Measure what was asked for; `write` is told what was found, and how busy it was before.

    What is measured `by_name_alone` is left out if nothing is named.
    """
    arguments = _read_arguments(measures, argparse.ArgumentParser(prog=prog, description=about))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers are ended too
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each screen is two sockets
    load_before = os.getloadavg()[0]
    outcomes = {}
    for name in arguments.names or [name for name in measures if name not in by_name_alone]:
        started = time.monotonic()
        print(f"{name} …", end=" ", flush=True)
        outcomes[name] = uvloop.run(_measure(measures[name], arguments))
        print(f"{time.monotonic() - started:.0f} s", flush=True)
    if arguments.names or arguments.only or arguments.scale != 1:
        print(describe(outcomes))
    else:
        print(f"written: {write(outcomes, load_before)}")
    if any(outcome.failure for outcome in outcomes.values()):
        sys.exit(1)


async def _measure(
    measure: Callable[[Lab], Awaitable[Outcome]], arguments: argparse.Namespace
) -> Outcome:
    """Measure one thing; what goes wrong with it is part of the report."""
    with tempfile.TemporaryDirectory(prefix="anonchat-bench-") as folder:
        is_alone = bool(arguments.names)
        lab = Lab(Path(folder), arguments.scale, arguments.only, is_alone)
        try:
            async with asyncio.timeout(_LONGEST_SECONDS_ALONE if is_alone else _LONGEST_SECONDS):
                return await measure(lab)
        except Exception as error:
            traceback.print_exc()
            return Outcome(failure=f"{type(error).__name__}: {error}")


def _read_arguments(measures: Measures, parser: argparse.ArgumentParser) -> argparse.Namespace:
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(measures))
    parser.add_argument("--scale", type=float, default=1.0, help="less of everything: 0.1")
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="the rows of a measure whose name has them"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - measures.keys():
        parser.error(f"there is no measure called {', '.join(unknown)}")
    return arguments
