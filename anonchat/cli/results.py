"""Results of commands: JSON values, and how each is written as text."""

import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any

_ROOT = Path(__file__).parents[2]

CommandResult = dict[str, Any]
"""The result of a command, as JSON; `well` is false if a check failed."""


def format_findings(result: CommandResult) -> str:
    """Write the results of the preflight checks."""
    lines = [
        f"{'ok    ' if part['well'] else 'FAILED'}  {part['part']}: {part['says']}"
        for part in result["parts"]
    ]
    return "\n".join(
        [*lines, f"anonchat {'is' if result['running'] else 'is not'} running in this data folder"]
    )


def format_plugins(result: CommandResult) -> str:
    """Write the loaded plugins, with a line for each thing that they add."""
    return "\n".join(line for plugin in result["plugins"] for line in _list_plugin(plugin))


def _list_plugin(plugin: dict[str, Any]) -> Iterator[str]:
    yield f"{plugin['name']}  {plugin['file']}"
    for command in plugin["commands"]:
        who = "" if command["who"] == "members" else f" (for {command['who']})"
        yield f"  command   {command['usage']}{who}  {command['help']}".rstrip()
    for noun in ("filter", "kind", "inline", "panel", "action", "page", "listener", "job", "theme"):
        for text in plugin.get(f"{noun}s", plugin.get(noun, ())):
            yield f"  {noun:<9} {text}"
    for path in plugin["routes"]:
        yield f"  routes    {path}"
    for name, value in plugin["settings"].items():
        yield f"  setting   {name}={value}"


def format_new_plugin(result: CommandResult) -> str:
    """Write what was written, and what to do next."""
    file, test = result["files"]
    python = quote(sys.executable)
    plugins = ",".join(filter(None, [result["plugins"], file]))
    return (
        f"Wrote {file} and {test}. Next:\n"
        f"  ANONCHAT_PLUGINS={quote(plugins)} {python} {quote(str(_ROOT / 'main.py'))} --reload\n"
        f"  PYTHONPATH={quote(str(_ROOT))} {python} -m pytest {quote(test)}"
    )


def format_stats(result: CommandResult) -> str:
    """Write the counts of live rows."""
    return "\n".join(f"{name:<10} {'none' if n is None else n}" for name, n in result.items())


def format_rooms(result: CommandResult) -> str:
    """Write the table of rooms."""
    lines = [f"{'members':>7}  {'messages':>8}  {'ends':<25}  address, name"]
    lines += [
        f"{room['members']:>7}  {room['messages']:>8}  {room['ends']:<25}  "
        f"/r/{room['slug']}  {room['name']}{'' if room['listed'] else ' (not listed)'}"
        for room in result["rooms"]
    ]
    return "\n".join(lines)


def format_closing(result: CommandResult) -> str:
    """Write what was deleted with a room, and how long its name is closed."""
    closed = f" Its name is closed until {until}." if (until := result["closed_until"]) else ""
    return f"Deleted the room and its {_count(result['messages'], 'message')}.{closed}"


def format_removal(result: CommandResult) -> str:
    """Write what was deleted with a visitor."""
    return f"Removed the visitor and their {_count(result['messages'], 'message')}."


def format_purge(result: CommandResult) -> str:
    """Write what was purged."""
    messages = _count(result["messages"], "message")
    rooms, visitors = _count(result["rooms"], "room"), _count(result["visitors"], "visitor")
    return f"Purged {messages}, {rooms} and {visitors}."


def format_backup(result: CommandResult) -> str:
    """Write what a backup holds, and what it brings back."""
    return f"""\
Backed up {_count_rows(result)} to {result["file"]}.
It has no keys: without those in {result["keys"]} it brings back nothing.
Beside the keys as they are then, it brings back what is in it, except
- what has expired, or was deleted, burnt or forgotten since;
- messages, of any room, that expire in the same half minute as a message deleted since;
- rooms and visitors that have expired according to the backup, though they were used since.
It also brings back memberships and sessions that have ended since."""


def format_move(result: CommandResult) -> str:
    """Write what was moved to another database."""
    return f"Moved {_count_rows(result)}; the old database can no longer be used."


def format_rotation(result: CommandResult) -> str:
    """Write how many keys have a new secret key."""
    keys = _count(result["keys"], "key")
    return f"Wrapped {keys} with a new secret key; the old one is invalid now."


def _count_rows(result: CommandResult) -> str:
    """Write the numbers of rows by table."""
    rooms, visitors = _count(result["room"], "room"), _count(result["visitor"], "visitor")
    return f"{rooms}, {visitors} and {_count(result['message'], 'message')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
