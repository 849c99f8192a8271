"""The commands of an operator: `python main.py check` and others.

Each command imports what it needs when it runs, because that takes most of its time.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from .. import __version__
from ..durations import format_duration, parse_duration
from ..errors import StartupError
from .results import (
    CommandResult,
    format_backup,
    format_closing,
    format_findings,
    format_move,
    format_new_plugin,
    format_plugins,
    format_purge,
    format_removal,
    format_rooms,
    format_rotation,
    format_stats,
)

if TYPE_CHECKING:
    from ..settings import Settings


class CommandError(click.ClickException):
    """Ends the command with status 1 and the reason, as text or as JSON, on standard error."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the reason."""
        click.echo(self.format_message(), file=file, err=True)


class CommandGroup(click.Group):
    """A group that names its commands if it is called with an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command and its arguments. Raises `click.UsageError`."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            names = ", ".join(self.list_commands(ctx))
            raise click.UsageError(f"{error.message} The commands are {names}.", ctx) from error


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings are ANONCHAT_* environment variables, or lines of .env in the current folder: "
    "see docs/settings.md. docs/operations.md describes the commands. They use the data folder "
    "ANONCHAT_DATA_DIR and work whether anonchat is running or stopped, unless they say otherwise.",
)
@click.version_option(__version__, prog_name="anonchat", message="%(prog)s %(version)s")
@click.option(
    "--reload", is_flag=True, help="Serve, and restart when a plugin or a catalogue changes."
)
@click.pass_context
def cli(context: click.Context, *, reload: bool) -> None:
    """Without a command: serve, until SIGTERM or Ctrl-C."""
    if reload and context.invoked_subcommand is None:
        from .reload import serve_and_reload

        serve_and_reload()
    elif reload:
        raise click.UsageError("--reload is for serving, without a command.")
    elif context.invoked_subcommand is None:
        click.echo(context.get_help())


def _command(
    format_result: Callable[[CommandResult], str],
) -> Callable[[Callable[..., CommandResult]], click.Command]:
    """Make a command of a function that receives the settings and returns a result.

    The result is printed as `format_result` writes it, or with `--json` as JSON.
    """

    def decorate(function: Callable[..., CommandResult]) -> click.Command:
        @wraps(function)
        def run(*, as_json: bool, **arguments: str) -> None:
            from ..runtime.logging import configure_logging
            from ..security.hardening import forbid_core_dumps
            from ..settings.sources import read_settings

            forbid_core_dumps()
            try:
                settings = read_settings()
                configure_logging(settings.model_copy(update={"log_level": "warning"}))
                result = function(settings, **arguments)
            except StartupError as error:
                reason = json.dumps({"error": str(error)}) if as_json else str(error)
                raise CommandError(reason) from error
            click.echo(json.dumps(result) if as_json else format_result(result))
            if not result.get("well", True):
                click.get_current_context().exit(1)

        with_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
        return cli.command(function.__name__.replace("_", "-"))(with_json(run))

    return decorate


def _request(settings: "Settings", request: str, **arguments: str) -> CommandResult:
    from .admin_client import send_request

    return asyncio.run(send_request(settings, request, **arguments))


@_command(format_findings)
def check(settings: "Settings") -> CommandResult:
    """Check what a start needs, without changing anything."""
    from .admin_client import is_running
    from .preflight import run_checks

    async def collect() -> CommandResult:
        running = await is_running(settings)
        findings = run_checks(settings, is_running=running)
        parts = [asdict(finding) async for finding in findings]
        return {"well": all(part["well"] for part in parts), "running": running, "parts": parts}

    return asyncio.run(collect())


@_command(format_plugins)
def plugins(settings: "Settings") -> CommandResult:
    """List the plugins that a start loads, with what they add and their settings."""
    from .plugin_list import list_plugins

    return {"plugins": list_plugins(settings)}


@_command(format_new_plugin)
@click.argument("name")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
def new_plugin(settings: "Settings", name: str, folder: Path) -> CommandResult:
    """Write a plugin with each hook, and its test, into a folder."""
    from .new_plugin import write_plugin

    files = write_plugin(name, folder)
    return {"files": [str(file.absolute()) for file in files], "plugins": settings.plugins}


@_command(format_stats)
def stats(settings: "Settings") -> CommandResult:
    """Count visitors, rooms, members and messages."""
    return _request(settings, "stats")


@_command(format_rooms)
def rooms(settings: "Settings") -> CommandResult:
    """List all rooms, unlisted ones included."""
    return _request(settings, "rooms")


def _check_duration(_context: click.Context, _option: click.Parameter, text: str) -> str:
    try:
        return text and format_duration(parse_duration(text))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@_command(format_closing)
@click.argument("name")
@click.option(
    "--for",
    "duration",
    metavar="DURATION",
    default="",
    callback=_check_duration,
    help="Let nobody open a room of this name, or one that looks like it, for this time: 12h, 30d.",
)
def close_room(settings: "Settings", name: str, duration: str) -> CommandResult:
    """Delete a room now, given by its name or slug."""
    return _request(settings, "close-room", name=name, duration=duration)


@_command(format_removal)
@click.argument("nickname")
def remove_visitor(settings: "Settings", nickname: str) -> CommandResult:
    """Delete a visitor with all they wrote, and sign them out."""
    return _request(settings, "remove-visitor", nickname=nickname)


@_command(format_purge)
def purge(settings: "Settings") -> CommandResult:
    """Purge expired data now."""
    return _request(settings, "purge")


@_command(format_backup)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(settings: "Settings", file: Path) -> CommandResult:
    """Copy an SQLite database, without its keys, to a new file."""
    from ..security.secret_key import keys_path, require_keys
    from ..storage.backup import back_up

    require_keys(settings)
    if settings.database_file is None:
        raise StartupError(
            "ANONCHAT_DATABASE_URL: a PostgreSQL database is backed up with pg_dump, which has no "
            "keys either; docs/operations.md says what it can bring back"
        )
    counts = back_up(settings.database_file, file)
    return {**counts, "file": str(file), "keys": str(keys_path(settings))}


@_command(format_move)
@click.option("--from", "source", metavar="URL", required=True, help="The current database.")
@click.option("--to", "target", metavar="URL", required=True, help="The new, empty database.")
def migrate_data(settings: "Settings", source: str, target: str) -> CommandResult:
    """Move all data to another database while stopped."""
    from ..security.secret_key import require_keys
    from ..storage.migrate_data import migrate_data as copy_data

    require_keys(settings)
    old, new = _settings_for("from", source), _settings_for("to", target)
    if old.database_file and not old.database_file.exists():  # opening it would create it
        raise StartupError("--from: no such file")
    source, target = old.resolved_database_url, new.resolved_database_url
    return asyncio.run(copy_data(settings, source=source, target=target))


def _settings_for(option: str, url: str) -> "Settings":
    """Return the settings with the database URL of an option."""
    from ..settings.sources import read_settings

    try:
        return read_settings(database_url=url)
    except StartupError as error:
        wanted = "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
        raise StartupError(f"--{option}: not a database URL; needs {wanted}") from error


@_command(format_rotation)
def rotate_key(settings: "Settings") -> CommandResult:
    """Wrap all keys with a new secret key while stopped."""
    from ..security.secret_key import require_keys, rotate_secret_key

    require_keys(settings)
    new_key = _read_new_secret() if settings.secret_key else ""
    return {"keys": rotate_secret_key(settings, given=new_key)}


def _read_new_secret() -> str:
    """Read the new secret key from stdin, which no process list or shell history shows."""
    from ..settings.types import SECRET_KEY_MIN_CHARACTERS

    if sys.stdin.isatty():
        click.echo("The new secret key, on one line: ", err=True, nl=False)
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
