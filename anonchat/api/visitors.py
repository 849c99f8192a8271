"""Sign in, choose what you show, and be deleted."""

from fastapi import APIRouter

from ..limits.costs import Cost
from . import problems
from .dependencies import CALLER_PROBLEMS, Caller, ChatDependency, ClientIp, charge
from .problem_responses import problem_responses
from .schemas import PreferenceChanges, Preferences, SignIn, Visitor

routes = APIRouter(tags=["visitors"])


@routes.post(
    "/visitors",
    status_code=201,
    summary="Sign in",
    response_description="You are signed in. Keep the token: it is returned only once.",
    responses=problem_responses(
        problems.NICKNAME_TAKEN,
        problems.TOO_LARGE,
        problems.INVALID_REQUEST,
        problems.INVALID_NICKNAME,
        problems.INVALID_PHRASE,
        problems.PUZZLE_UNSOLVED,
        problems.LIMIT_REACHED,
    ),
)
async def sign_in(chat: ChatDependency, address: ClientIp, request: SignIn) -> Visitor:
    """Take a nickname. If it is taken, its secret phrase signs you in as the same visitor."""
    visitor, token = await chat.identity.sign_in(
        request.nickname,
        phrase=request.secret_phrase,
        address=address,
        solution=request.solution,
    )
    return Visitor(token=token, nickname=visitor.nickname, expires_at=visitor.expires_at)


@routes.patch(
    "/visitors/me",
    dependencies=[charge(Cost.PREFERENCES)],
    summary="Choose what you show",
    response_description="What you show now.",
    responses=problem_responses(*CALLER_PROBLEMS, problems.TOO_LARGE, problems.INVALID_REQUEST),
)
async def change_preferences(
    chat: ChatDependency, caller: Caller, changes: PreferenceChanges
) -> Preferences:
    """Choose whether the members of your rooms see that you are here, and that you are typing.

    It holds for all your sessions and pages at once. What is absent stays as it is.
    """
    return Preferences.model_validate(
        await chat.preferences.change(
            caller.id, shows_typing=changes.shows_typing, shows_presence=changes.shows_presence
        )
    )


@routes.delete(
    "/visitors/me",
    dependencies=[charge(Cost.PURGE)],
    status_code=204,
    summary="Delete yourself",
    response_description="The visitor is deleted.",
    responses=problem_responses(*CALLER_PROBLEMS),
)
async def be_forgotten(chat: ChatDependency, caller: Caller) -> None:
    """Release the nickname, leave all rooms, and delete all your messages, at once."""
    await chat.identity.forget(caller.id)
