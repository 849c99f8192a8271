"""What an operator tells the program to do instead of serving: `python main.py rotate-key`."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from .admin import ask, is_running
from .checks import look_round
from .errors import StartError
from .logs import set_up_logs
from .moving import move_site
from .precautions import forbid_core_dumps
from .secret import require_keys, rotate_secret
from .settings import SECRET_CHARACTERS, Settings, read_settings

Outcome = dict[str, Any]
"""What a command has done or found, as JSON has it; one that found something bad is not `well`."""

_HOW_TO_SERVE = "Without a command: serve, until SIGTERM or Ctrl-C."
_WHERE_TO_READ = """\
Settings are ANONCHAT_* variables, or lines of a file .env where this is started: docs/settings.md
has them all, docs/operations.md the commands. They go for the data folder ANONCHAT_DATA_DIR, and
work whether anonchat is running there or not, unless they say otherwise.
"""


@dataclass(frozen=True, slots=True)
class _Command:
    """A command: what it is for, what it does, how it tells of it, and what it is told."""

    help: str
    run: Callable[[Settings, Mapping[str, str]], Outcome]
    say: Callable[[Outcome], str]
    about: str = ""
    """What it is about, if it has to be told that."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What has to be told as well, each with what it is for."""


def run_command(words: Sequence[str]) -> int:
    """Do what the words on the command line say; return the status that the program ends with."""
    parser = argparse.ArgumentParser(
        prog="main.py",
        description=_HOW_TO_SERVE,
        epilog=_WHERE_TO_READ,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    choices = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, command in _COMMANDS.items():
        choice = choices.add_parser(name, help=command.help, description=command.help)
        choice.add_argument("--json", action="store_true", help="answer in JSON")
        if command.about:
            choice.add_argument("about", metavar=command.about)
        for option, meaning in command.options.items():
            choice.add_argument(f"--{option}", required=True, metavar="URL", help=meaning)
    chosen = parser.parse_args(words)
    command = _COMMANDS[chosen.command]
    forbid_core_dumps()
    try:
        settings = read_settings()
        set_up_logs(settings.model_copy(update={"log_level": "warning"}))
        outcome = command.run(settings, vars(chosen))
    except StartError as error:
        sys.stderr.write(json.dumps({"error": str(error)}) if chosen.json else str(error))
        sys.stderr.write("\n")
        return 1
    sys.stdout.write(json.dumps(outcome) if chosen.json else command.say(outcome))
    sys.stdout.write("\n")
    return 0 if outcome.get("well", True) else 1


def _ask(request: str, settings: Settings, given: Mapping[str, str]) -> Outcome:
    return asyncio.run(ask(settings, request, given.get("about", "")))


def _check(settings: Settings, _given: Mapping[str, str]) -> Outcome:
    async def look() -> Outcome:
        running = await is_running(settings)
        found = look_round(settings, is_running=running)
        parts = [asdict(finding) async for finding in found]
        return {"well": all(part["well"] for part in parts), "running": running, "parts": parts}

    return asyncio.run(look())


def _rotate_key(settings: Settings, _given: Mapping[str, str]) -> Outcome:
    require_keys(settings)
    given = _read_new_secret() if settings.secret_key else ""
    return {"keys": rotate_secret(settings, given=given)}


def _migrate_data(settings: Settings, given: Mapping[str, str]) -> Outcome:
    require_keys(settings)
    source, target = (_locate(name, given[name]) for name in ("from", "to"))
    file = source.database_file
    if file and not file.exists():  # to open it would make it
        raise StartError("--from: there is no such file")
    source_url, target_url = source.database_location, target.database_location
    return asyncio.run(move_site(settings, source=source_url, target=target_url))


def _locate(option: str, url: str) -> Settings:
    """Return settings with the database that an option names."""
    try:
        return read_settings(database_url=url)
    except StartError as error:
        wanted = "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
        raise StartError(f"--{option}: that is no address of a database: {wanted}") from error


def _read_new_secret() -> str:
    """Read it where neither the list of processes nor the history of a shell shows it."""
    if sys.stdin.isatty():
        sys.stderr.write("The new secret key, on one line: ")
        sys.stderr.flush()
    try:
        secret = sys.stdin.readline().strip()
    except UnicodeDecodeError:
        raise StartError("the new secret key needs text in UTF-8") from None
    if len(secret) < SECRET_CHARACTERS:
        raise StartError(
            "ANONCHAT_SECRET_KEY is set, so the new one is read from standard input; it needs "
            f"{SECRET_CHARACTERS} characters or more"
        )
    return secret


def _tell_stock(stock: Outcome) -> str:
    return "\n".join(f"{name:<10} {'none' if n is None else n}" for name, n in stock.items())


def _tell_rooms(outcome: Outcome) -> str:
    lines = [f"{'members':>7}  {'messages':>8}  {'ends':<25}  address, name"]
    lines += [
        f"{room['members']:>7}  {room['messages']:>8}  {room['ends']:<25}  "
        f"/r/{room['slug']}  {room['name']}{'' if room['listed'] else ' (not listed)'}"
        for room in outcome["rooms"]
    ]
    return "\n".join(lines)


def _tell_findings(outcome: Outcome) -> str:
    lines = [
        f"{'well ' if part['well'] else 'WRONG'}  {part['part']}: {part['says']}"
        for part in outcome["parts"]
    ]
    return "\n".join([*lines, f"anonchat {'is' if outcome['running'] else 'is not'} running here"])


_COMMANDS = {
    "check": _Command(
        help="look whether everything is as a start needs it, and change nothing",
        run=_check,
        say=_tell_findings,
    ),
    "stats": _Command(
        help="count what there is",
        run=partial(_ask, "stats"),
        say=_tell_stock,
    ),
    "rooms": _Command(
        help="list the living rooms, those too that only a link leads to",
        run=partial(_ask, "rooms"),
        say=_tell_rooms,
    ),
    "close-room": _Command(
        help="end a room now, for everybody, with everything in it",
        run=partial(_ask, "close-room"),
        say="The room has ended, with {messages} messages.".format_map,
        about="SLUG",
    ),
    "purge": _Command(
        help="do a round of the janitor now",
        run=partial(_ask, "purge"),
        say="{messages} messages, {rooms} rooms and {visitors} visitors are gone.".format_map,
    ),
    "migrate-data": _Command(
        help="move everything into another database, while anonchat is stopped",
        run=_migrate_data,
        say=(
            "{room} rooms, {visitor} visitors and {message} messages have moved; the old database "
            "is of no use any more."
        ).format_map,
        options={"from": "the database that is used now", "to": "an empty database"},
    ),
    "rotate-key": _Command(
        help="wrap all keys with a new secret key, while anonchat is stopped",
        run=_rotate_key,
        say="{keys} keys are wrapped with a new secret key; the old opens nothing more.".format_map,
    ),
}
