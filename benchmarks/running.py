"""Runs measures one after the other; prints the results or writes them to a page."""

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

from benchmarks.lab import Lab
from benchmarks.outcome import Outcome
from benchmarks.report import describe

Measures = Mapping[str, Callable[[Lab], Awaitable[Outcome]]]
Write = Callable[[Mapping[str, Outcome], float], Path]
_TIMEOUT_SECONDS = 300
_TIMEOUT_SECONDS_ALONE = 1_200


def run(
    measures: Measures,
    *,
    write: Write,
    prog: str,
    description: str | None,
    only_by_name: Container[str] = (),
) -> None:
    """Run the measures named on the command line, or all but those `only_by_name`.

    `write` gets the results and the load average of the machine before the run.
    """
    arguments = _read_arguments(
        measures, argparse.ArgumentParser(prog=prog, description=description)
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers are stopped too
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))  # two sockets per screen
    load_before = os.getloadavg()[0]
    outcomes = {}
    for name in arguments.names or [name for name in measures if name not in only_by_name]:
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
    """Run one measure; an exception becomes the failure of its outcome."""
    with tempfile.TemporaryDirectory(prefix="anonchat-bench-") as folder:
        is_alone = bool(arguments.names)
        lab = Lab(Path(folder), arguments.scale, arguments.only, is_alone)
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS_ALONE if is_alone else _TIMEOUT_SECONDS):
                return await measure(lab)
        except Exception as error:
            traceback.print_exc()
            return Outcome(failure=f"{type(error).__name__}: {error}")


def _read_arguments(measures: Measures, parser: argparse.ArgumentParser) -> argparse.Namespace:
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(measures))
    parser.add_argument("--scale", type=float, default=1.0, help="scale of all sizes, such as 0.1")
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="only the rows whose names contain these words"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - measures.keys():
        parser.error(f"unknown measure: {', '.join(unknown)}")
    return arguments
