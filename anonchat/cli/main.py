"""Admin commands: `python main.py rotate-key` and others."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from ..errors import StartupError
from ..runtime.logging import configure_logging
from ..security.hardening import forbid_core_dumps
from ..security.secret_key import require_keys, rotate_secret_key
from ..settings import SECRET_KEY_MIN_CHARACTERS, Settings, read_settings
from ..storage.migrate_data import migrate_data
from .admin_server import is_running, send_request
from .preflight import run_checks

CommandResult = dict[str, Any]
"""The result of a command, as JSON; `well` is false if a check failed."""

_DESCRIPTION = "Without a command: serve, until SIGTERM or Ctrl-C."
_EPILOG = """\
Settings are ANONCHAT_* environment variables, or lines of .env in the current folder: see
docs/settings.md. docs/operations.md describes the commands. They use the data folder
ANONCHAT_DATA_DIR and work whether anonchat is running or stopped, unless they say otherwise.
"""


@dataclass(frozen=True, slots=True)
class _Command:
    """A command: its help, its function, the text format of its result, and its arguments."""

    help: str
    run: Callable[[Settings, Mapping[str, str]], CommandResult]
    format: Callable[[CommandResult], str]
    argument: str = ""
    """The name of its positional argument, if it has one."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The required options, each with its help."""


def run_command(arguments: Sequence[str]) -> int:
    """Run the command on the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="main.py",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, command in _COMMANDS.items():
        subparser = commands.add_parser(name, help=command.help, description=command.help)
        subparser.add_argument("--json", action="store_true", help="answer in JSON")
        if command.argument:
            subparser.add_argument("argument", metavar=command.argument)
        for option, text in command.options.items():
            subparser.add_argument(f"--{option}", required=True, metavar="URL", help=text)
    given = parser.parse_args(arguments)
    command = _COMMANDS[given.command]
    forbid_core_dumps()
    try:
        settings = read_settings()
        configure_logging(settings.model_copy(update={"log_level": "warning"}))
        outcome = command.run(settings, vars(given))
    except StartupError as error:
        sys.stderr.write(json.dumps({"error": str(error)}) if given.json else str(error))
        sys.stderr.write("\n")
        return 1
    sys.stdout.write(json.dumps(outcome) if given.json else command.format(outcome))
    sys.stdout.write("\n")
    return 0 if outcome.get("well", True) else 1


def _request(request: str, settings: Settings, given: Mapping[str, str]) -> CommandResult:
    return asyncio.run(send_request(settings, request, given.get("argument", "")))


def _check(settings: Settings, _given: Mapping[str, str]) -> CommandResult:
    async def collect() -> CommandResult:
        running = await is_running(settings)
        findings = run_checks(settings, is_running=running)
        parts = [asdict(finding) async for finding in findings]
        return {"well": all(part["well"] for part in parts), "running": running, "parts": parts}

    return asyncio.run(collect())


def _rotate_key(settings: Settings, _given: Mapping[str, str]) -> CommandResult:
    require_keys(settings)
    new_key = _read_new_secret() if settings.secret_key else ""
    return {"keys": rotate_secret_key(settings, given=new_key)}


def _migrate_data(settings: Settings, given: Mapping[str, str]) -> CommandResult:
    require_keys(settings)
    source, target = (_settings_for(name, given[name]) for name in ("from", "to"))
    file = source.database_file
    if file and not file.exists():  # opening it would create it
        raise StartupError("--from: no such file")
    source_url, target_url = source.resolved_database_url, target.resolved_database_url
    return asyncio.run(migrate_data(settings, source=source_url, target=target_url))


def _settings_for(option: str, url: str) -> Settings:
    """Return the settings with the database URL of an option."""
    try:
        return read_settings(database_url=url)
    except StartupError as error:
        wanted = "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
        raise StartupError(f"--{option}: not a database URL; needs {wanted}") from error


def _read_new_secret() -> str:
    """Read the new secret key from stdin, which no process list or shell history shows."""
    if sys.stdin.isatty():
        sys.stderr.write("The new secret key, on one line: ")
        sys.stderr.flush()
    try:
        secret = sys.stdin.readline().strip()
    except UnicodeDecodeError:
        raise StartupError("the new secret key needs text in UTF-8") from None
    if len(secret) < SECRET_KEY_MIN_CHARACTERS:
        raise StartupError(
            "ANONCHAT_SECRET_KEY is set, so the new key is read from standard input; it needs "
            f"{SECRET_KEY_MIN_CHARACTERS} characters or more"
        )
    return secret


def _format_stats(stats: CommandResult) -> str:
    return "\n".join(f"{name:<10} {'none' if n is None else n}" for name, n in stats.items())


def _format_rooms(outcome: CommandResult) -> str:
    lines = [f"{'members':>7}  {'messages':>8}  {'ends':<25}  address, name"]
    lines += [
        f"{room['members']:>7}  {room['messages']:>8}  {room['ends']:<25}  "
        f"/r/{room['slug']}  {room['name']}{'' if room['listed'] else ' (not listed)'}"
        for room in outcome["rooms"]
    ]
    return "\n".join(lines)


def _format_findings(outcome: CommandResult) -> str:
    lines = [
        f"{'ok    ' if part['well'] else 'FAILED'}  {part['part']}: {part['says']}"
        for part in outcome["parts"]
    ]
    return "\n".join(
        [*lines, f"anonchat {'is' if outcome['running'] else 'is not'} running in this data folder"]
    )


_COMMANDS = {
    "check": _Command(
        help="check settings, keys, database, bus and clock without changing anything",
        run=_check,
        format=_format_findings,
    ),
    "stats": _Command(
        help="count visitors, rooms, members and messages",
        run=partial(_request, "stats"),
        format=_format_stats,
    ),
    "rooms": _Command(
        help="list all rooms, unlisted ones included",
        run=partial(_request, "rooms"),
        format=_format_rooms,
    ),
    "close-room": _Command(
        help="delete a room now, with all its messages",
        run=partial(_request, "close-room"),
        format="Deleted the room and its {messages} messages.".format_map,
        argument="SLUG",
    ),
    "purge": _Command(
        help="purge expired data now",
        run=partial(_request, "purge"),
        format="Purged {messages} messages, {rooms} rooms and {visitors} visitors.".format_map,
    ),
    "migrate-data": _Command(
        help="move all data to another database; anonchat has to be stopped",
        run=_migrate_data,
        format=(
            "Moved {room} rooms, {visitor} visitors and {message} messages; the old database can "
            "no longer be used."
        ).format_map,
        options={"from": "the current database", "to": "the new, empty database"},
    ),
    "rotate-key": _Command(
        help="wrap all keys with a new secret key; anonchat has to be stopped",
        run=_rotate_key,
        format="Wrapped {keys} keys with a new secret key; the old one is invalid now.".format_map,
    ),
}
