"""Coming in, and being forgotten."""

from fastapi import APIRouter

from ..costs import Cost
from .caller import CALLER, Address, Caller, TheChat, costs
from .problems import (
    INVALID_NICKNAME,
    INVALID_PHRASE,
    INVALID_REQUEST,
    LIMIT_REACHED,
    NICKNAME_TAKEN,
    PUZZLE_UNSOLVED,
    TOO_LARGE,
    documented,
)
from .schemas import Arrival, Visitor

routes = APIRouter(tags=["visitors"])


@routes.post(
    "/visitors",
    status_code=201,
    summary="Come in",
    response_description="You are in. Keep the token: it is told only now.",
    responses=documented(
        NICKNAME_TAKEN,
        TOO_LARGE,
        INVALID_REQUEST,
        INVALID_NICKNAME,
        INVALID_PHRASE,
        PUZZLE_UNSOLVED,
        LIMIT_REACHED,
    ),
)
async def come_in(chat: TheChat, address: Address, arrival: Arrival) -> Visitor:
    """Take a nickname. With the secret phrase of the one who holds it, be that visitor again."""
    visitor, token = await chat.identity.come_in(
        arrival.nickname,
        phrase=arrival.secret_phrase,
        address=address,
        solution=arrival.solution,
    )
    return Visitor(token=token, nickname=visitor.nickname, expires_at=visitor.expires_at)


@routes.delete(
    "/visitors/me",
    dependencies=[costs(Cost.END)],
    status_code=204,
    summary="Be forgotten",
    response_description="You are forgotten.",
    responses=documented(*CALLER),
)
async def be_forgotten(chat: TheChat, caller: Caller) -> None:
    """Give up the nickname, leave all rooms, and take back every message, at once."""
    await chat.identity.forget(caller.id)
