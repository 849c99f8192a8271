"""Sign in, and delete yourself."""

from fastapi import APIRouter

from ..limits.costs import Cost
from .dependencies import CALLER_PROBLEMS, Caller, ChatDependency, ClientIp, charge
from .problems import (
    INVALID_NICKNAME,
    INVALID_PHRASE,
    INVALID_REQUEST,
    LIMIT_REACHED,
    NICKNAME_TAKEN,
    PUZZLE_UNSOLVED,
    TOO_LARGE,
    problem_responses,
)
from .schemas import Arrival, Visitor

routes = APIRouter(tags=["visitors"])


@routes.post(
    "/visitors",
    status_code=201,
    summary="Come in",
    response_description="You are signed in. Keep the token: it is returned only once.",
    responses=problem_responses(
        NICKNAME_TAKEN,
        TOO_LARGE,
        INVALID_REQUEST,
        INVALID_NICKNAME,
        INVALID_PHRASE,
        PUZZLE_UNSOLVED,
        LIMIT_REACHED,
    ),
)
async def sign_in(chat: ChatDependency, address: ClientIp, arrival: Arrival) -> Visitor:
    """Take a nickname. If it is taken, its secret phrase signs you in as the same visitor."""
    visitor, token = await chat.identity.sign_in(
        arrival.nickname,
        phrase=arrival.secret_phrase,
        address=address,
        solution=arrival.solution,
    )
    return Visitor(token=token, nickname=visitor.nickname, expires_at=visitor.expires_at)


@routes.delete(
    "/visitors/me",
    dependencies=[charge(Cost.PURGE)],
    status_code=204,
    summary="Be forgotten",
    response_description="The visitor is deleted.",
    responses=problem_responses(*CALLER_PROBLEMS),
)
async def be_forgotten(chat: ChatDependency, caller: Caller) -> None:
    """Release the nickname, leave all rooms, and delete all your messages, at once."""
    await chat.identity.forget(caller.id)
