"""What an operator tells the program to do instead of serving: `python main.py rotate-key`."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .errors import StartError
from .moving import move_site
from .secret import rotate_secret
from .settings import SECRET_CHARACTERS, Settings, read_settings

Outcome = Mapping[str, int]
"""What a command has done, as counts."""


@dataclass(frozen=True, slots=True)
class _Command:
    """A command: what it is for, what it does, and how it tells of it."""

    help: str
    run: Callable[[Settings, Mapping[str, str]], Outcome]
    say: str
    options: Mapping[str, str] = field(default_factory=dict)
    """What has to be told as well, each with what it is for."""


def run_command(words: Sequence[str]) -> int:
    """Do what the words on the command line say; return the status that the program ends with."""
    parser = argparse.ArgumentParser(prog="main.py", description="Without a command: serve.")
    choices = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, command in _COMMANDS.items():
        choice = choices.add_parser(name, help=command.help, description=command.help)
        choice.add_argument("--json", action="store_true", help="answer in JSON")
        for option, meaning in command.options.items():
            choice.add_argument(f"--{option}", required=True, metavar="URL", help=meaning)
    chosen = parser.parse_args(words)
    command = _COMMANDS[chosen.command]
    try:
        given = {option: getattr(chosen, option) for option in command.options}
        outcome = command.run(read_settings(), given)
    except StartError as error:
        sys.stderr.write(json.dumps({"error": str(error)}) if chosen.json else str(error))
        sys.stderr.write("\n")
        return 1
    answer = json.dumps(dict(outcome)) if chosen.json else command.say.format(**outcome)
    sys.stdout.write(f"{answer}\n")
    return 0


def _rotate_key(settings: Settings, _given: Mapping[str, str]) -> Outcome:
    given = _read_new_secret() if settings.secret_key else ""
    return {"keys": rotate_secret(settings, given=given)}


def _migrate_data(settings: Settings, given: Mapping[str, str]) -> Outcome:
    source, target = (
        read_settings(database_url=given[name]).database_location for name in ("from", "to")
    )
    return asyncio.run(move_site(settings, source=source, target=target))


def _read_new_secret() -> str:
    """Read it where neither the list of processes nor the history of a shell shows it."""
    if sys.stdin.isatty():
        sys.stderr.write("The new secret key, on one line: ")
        sys.stderr.flush()
    secret = sys.stdin.readline().strip()
    if len(secret) < SECRET_CHARACTERS:
        raise StartError(
            "ANONCHAT_SECRET_KEY is set, so the new one is read from standard input; it needs "
            f"{SECRET_CHARACTERS} characters or more"
        )
    return secret


_COMMANDS = {
    "migrate-data": _Command(
        help="move everything into another database, while anonchat is stopped",
        run=_migrate_data,
        say="{room} rooms, {visitor} visitors and {message} messages have moved; the old database "
        "is of no use any more.",
        options={"from": "the database that is used now", "to": "an empty database"},
    ),
    "rotate-key": _Command(
        help="wrap all keys with a new secret key, while anonchat is stopped",
        run=_rotate_key,
        say="{keys} keys are wrapped with a new secret key; the old one opens nothing any more.",
    ),
}
