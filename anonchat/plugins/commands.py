"""Commands: `/name` and arguments, typed as a message."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from ..entities import Member as CoreMember
from ..entities import Message, Post, Room
from ..errors import (
    N_,
    InvalidMessage,
    NeedsConfirmation,
    NotAllowed,
    NotFound,
    Refused,
)
from ..limits.limit import Limit
from ..rates import Rate
from ..runtime.background_tasks import end_tasks
from ..runtime.bounded_dict import BoundedDict
from ..text.normalization import normalize_message
from ..text.posts import check_dedup_id
from .arguments import WrongArguments
from .entities import Member, make_member
from .errors import PluginFailed
from .injection import Injected, name_of
from .invocation import Values, invoke, log_failure
from .registrations import Command, Who

_COMMAND = re.compile(r"/([A-Za-z][A-Za-z0-9_-]{0,31})(?:\s+|$)(.*)", re.DOTALL)
_SECONDS = 10.0
TOLD_MAX = 4_000
"""How many characters a member is told at once; the rest is cut."""
_RECENT_MAX = 10_000
_UNCONFIRMED_MAX = 1_000
_KEPT_SECONDS = 30.0  # results: readable no longer than a lost connection needs to come back
_WHO_TEXTS: Mapping[Who, str] = {
    "helpers": N_("Only the owner of the room and its helpers may do that."),
    "owner": N_("Only the owner of the room may do that."),
}


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CommandInfo:
    """A command as it is listed: how it is used, and its help in English."""

    name: str
    usage: str
    help: str


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command did: a text for its caller alone, or `""`; the message that it posted."""

    told: str = ""
    message: Message | None = None


def split_command(text: str) -> tuple[str, str] | None:
    """Return the name and the arguments of a command; `None` for any other text."""
    match = _COMMAND.fullmatch(text.strip())
    return (match[1].lower(), match[2]) if match else None  # phones begin a text with a capital


def unescape_slash(text: str) -> str:
    """Return a text that begins with `//` with a single slash: it is not a command."""
    stripped = text.lstrip()
    return stripped[1:] if stripped.startswith("//") else text


class Commands:
    """Runs commands. `say` posts as a member who has confirmed the warnings of filters, or not."""

    def __init__(
        self,
        commands: Mapping[str, Command],
        *,
        add_limit: Callable[[str, Rate], Limit],
        say: Callable[[CoreMember, Post, str, bool], Awaitable[Message]],
    ) -> None:
        self._commands = commands
        self._cooldowns = {
            command.name: add_limit(f"cooldown of /{command.name}", Rate(1, command.cooldown))
            for command in commands.values()
            if command.cooldown
        }
        self._say = say
        self._runs: BoundedDict[tuple[str, str, str], asyncio.Task[CommandResult]] = BoundedDict(
            _RECENT_MAX
        )
        self._running: set[asyncio.Task[CommandResult]] = set()
        self._unconfirmed: BoundedDict[tuple[str, str, str], Post] = BoundedDict(_UNCONFIRMED_MAX)

    async def stop(self) -> None:
        """Cancel the commands that run, and wait for their end."""
        await end_tasks(self._running)

    def list_for(self, member: Member) -> list[CommandInfo]:
        """Return the commands that a member may use, by name."""
        return [
            CommandInfo(command.name, usage_of(command), command.help)
            for command in sorted(self._commands.values(), key=lambda each: each.name)
            if may_use(command.who, member)
        ]

    async def run(
        self,
        text: str,
        member: CoreMember,
        room: Room,
        provide: Callable[[Command], Awaitable[Values]],
        *,
        dedup_id: str = "",
        confirmed: bool = True,
        ttl: timedelta | None = None,
        once: bool = False,
    ) -> CommandResult:
        """Run a command; one that is sent again with its `dedup_id` is not run again.

        What it posts has the lifetime `ttl`, unless the command gives it one of its own, and can be
        opened once with `once`.

        Unless `confirmed`, raises `NeedsConfirmation` if filters warn about what it says. That is
        said, and the command not run again, once the same `dedup_id` is confirmed. Also raises
        `NotFound` for an unknown command, `Refused` with the usage line, `NotAllowed`,
        `RateLimited`, `PluginFailed`, or what the command raises.
        """
        check_dedup_id(dedup_id)
        key = (member.room_id, member.visitor_id, dedup_id)
        run = self._runs.get(key) if dedup_id else None
        if run is None:
            post = self._unconfirmed.pop(key, None) if dedup_id and confirmed else None
            run = asyncio.create_task(
                self._say_confirmed(member, post, dedup_id)
                if post
                else self._run(text, member, room, provide, dedup_id, confirmed, ttl, once)
            )
            self._running.add(run)
            run.add_done_callback(self._running.discard)
            if dedup_id:
                self._runs[key] = run
                run.add_done_callback(partial(self._on_done, key))
        return await asyncio.shield(run)  # it may be awaited twice, and ends in any case

    def _on_done(self, key: tuple[str, str, str], run: "asyncio.Future[CommandResult]") -> None:
        """Forget a run that failed at once, because it may be tried again; others after a while."""
        if run.cancelled() or run.exception():
            self._runs.pop(key, None)
        else:
            asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._runs.pop, key, None)

    async def _run(
        self,
        text: str,
        member: CoreMember,
        room: Room,
        provide: Callable[[Command], Awaitable[Values]],
        dedup_id: str,
        confirmed: bool,
        ttl: timedelta | None,
        once: bool,
    ) -> CommandResult:
        command, line = self._find(normalize_message(text))
        if not may_use(command.who, make_member(member, room)):
            raise NotAllowed(_WHO_TEXTS[command.who])
        try:
            arguments = command.arguments.parse(line)
        except WrongArguments as error:
            raise _usage_error(command, str(error)) from None
        except Exception as error:  # whatever the code of a type raises
            log_failure(command.call, f"arguments of /{command.name}", error)
            raise PluginFailed from error
        if cooldown := self._cooldowns.get(command.name):
            cooldown.hit(f"{member.room_id} {member.visitor_id}")
        values = await provide(command)
        what = f"command /{command.name}"
        answer = await invoke(command.call, values, arguments, what=what, seconds=_SECONDS)
        if isinstance(answer, Post):
            answer = replace(answer, ttl=answer.ttl or ttl, once=answer.once or once)
        try:
            return await self.finish(
                command.call, answer, member, dedup_id=dedup_id, confirmed=confirmed
            )
        except NeedsConfirmation:
            if dedup_id:
                key = (member.room_id, member.visitor_id, dedup_id)
                self._unconfirmed[key] = answer
                loop = asyncio.get_running_loop()
                loop.call_later(_KEPT_SECONDS, self._unconfirmed.pop, key, None)
            raise

    async def _say_confirmed(self, member: CoreMember, post: Post, dedup_id: str) -> CommandResult:
        return CommandResult(message=await self._say(member, post, dedup_id, True))

    async def finish(
        self,
        call: Injected,
        answer: object,
        member: CoreMember,
        *,
        dedup_id: str = "",
        confirmed: bool = True,
    ) -> CommandResult:
        """Do what the function of a command or action has answered."""
        match answer:
            case None:
                return CommandResult()
            case str():
                return CommandResult(told=answer[:TOLD_MAX])
            case Post():
                return CommandResult(message=await self._say(member, answer, dedup_id, confirmed))
        _log.error(
            "plugin %s: %s returned neither a Post nor a text, but a value of the type %s",
            call.plugin,
            name_of(call.function),
            type(answer).__name__,
        )
        raise PluginFailed

    def _find(self, text: str) -> tuple[Command, str]:
        split = split_command(text)
        if split is None:
            raise InvalidMessage(N_("A command is like /help."))
        name, line = split
        if command := self._commands.get(name):
            return command, line
        raise NotFound(
            N_("There is no command /{name}. To post this as a text, begin it with //."), name=name
        )


def usage_of(command: Command) -> str:
    """Return how a command is written: `/roll [times]`."""
    return f"/{command.name} {command.arguments.usage}".rstrip()


def may_use(who: Who, member: Member) -> bool:
    """Return whether a member may use what is for members, helpers, or the owner alone."""
    return who == "members" or member.is_owner or (who == "helpers" and member.is_helper)


def _usage_error(command: Command, reason: str) -> Refused:
    usage = usage_of(command)
    if not reason:
        return Refused(N_("Use it like this: {usage}"), usage=usage)
    return Refused(N_("{reason}. Use it like this: {usage}"), reason=reason, usage=usage)
