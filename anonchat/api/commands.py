"""Listing and running the commands of plugins."""

from fastapi import APIRouter

from ..limits.costs import Cost, cost_of_post
from . import problems
from .dependencies import (
    ROOM_PROBLEMS,
    Budget,
    Caller,
    ChatDependency,
    PluginsDependency,
    RoomDependency,
    charge,
)
from .problem_responses import problem_responses
from .schemas import Command, CommandResult, NewCommand, Page

routes = APIRouter(prefix="/rooms/{slug}/commands", tags=["commands"])


@routes.get(
    "",
    dependencies=[charge(Cost.LOOKUP)],
    summary="List commands",
    response_description="All commands that you may use, by name.",
    responses=problem_responses(*ROOM_PROBLEMS, problems.NOT_A_MEMBER),
)
async def list_commands(
    chat: ChatDependency, plugins: PluginsDependency, caller: Caller, room: RoomDependency
) -> Page[Command]:
    """Return the commands that the plugins of this site offer you in this room."""
    member = await chat.memberships.require(room.id, visitor_id=caller.id)
    found = plugins.list_commands(member, room)
    return Page(items=[Command.model_validate(command) for command in found], next=None)


@routes.post(
    "",
    summary="Run a command",
    response_description="It was run.",
    responses=problem_responses(
        *ROOM_PROBLEMS,
        problems.NOT_A_MEMBER,
        problems.NOT_ALLOWED,
        problems.MESSAGE_EXPIRED,
        problems.TOO_LARGE,
        problems.INVALID_REQUEST,
        problems.INVALID_MESSAGE,
        problems.UNWANTED_WORD,
        problems.MUTED,
        problems.ROOM_PAUSED,
        problems.TOO_SOON,
        problems.REFUSED,
        problems.LIMIT_REACHED,
        problems.PLUGIN_FAILED,
    ),
)
async def run(
    chat: ChatDependency,
    plugins: PluginsDependency,
    caller: Caller,
    budget: Budget,
    room: RoomDependency,
    command: NewCommand,
) -> CommandResult:
    """Run a command, such as `/roll 2`; return what it tells you alone, and what it posted.

    A retry within half a minute with the same `dedup_id` does not run it again; a later one posts
    nothing again.
    """
    cost = cost_of_post(command.text)
    cost += Cost.PAGE_UPDATE * len(chat.presence.list_present(room.id))
    await budget.spend(cost)
    return CommandResult.model_validate(
        await plugins.run_command(room.id, caller.id, command.text, dedup_id=command.dedup_id or "")
    )
