"""Passes of strangers who have solved a challenge: cookies that are good for ten minutes."""

import hmac
import secrets
from datetime import timedelta

from fastapi import APIRouter, Request, Response
from starlette.requests import HTTPConnection

from anonchat import Chat, PuzzleUnsolved

from .door import Door
from .site import address_of

_LIFE = timedelta(minutes=10)
_EASIER_BITS = 2  # than a challenge would be now: it may have been less when the pass was given


class Passes:
    """Gives a pass for a solved challenge, and reads it from later requests.

    Nothing is stored of a pass: it says itself until when it is good and how hard its challenge
    was, and is signed. `Puzzle` sees to it that a solution gives one pass only.
    """

    def __init__(self, chat: Chat, door: Door) -> None:
        self._chat = chat
        self._door = door

    def read(self, connection: HTTPConnection) -> str:
        """Return the id of the pass that is brought; "" if there is none, or none that is good."""
        given = connection.cookies.get(self._cookie_name(connection), "")
        bare, _, signature = given.rpartition(".")
        if not hmac.compare_digest(self._sign(bare).encode(), signature.encode()):
            return ""
        until, bits, id = bare.split(".")
        needed = self._chat.busy_networks.challenge_bits(address_of(connection)) - _EASIER_BITS
        is_good = int(until) >= self._chat.clock().timestamp() and int(bits) >= needed
        return id if is_good else ""

    def routes(self) -> APIRouter:
        """Return the route that takes a solution and gives a pass."""
        router = APIRouter(include_in_schema=False)

        @router.post("/pass", status_code=204)
        async def give_pass(request: Request) -> Response:
            solution = (await request.body()).decode("latin-1")
            bits = self._chat.busy_networks.challenge_bits(address_of(request))
            try:
                with self._chat.puzzle.spending(solution, bits=bits):
                    value = self._make(bits)
            except PuzzleUnsolved:
                return Response(status_code=403)
            response = Response(status_code=204)
            response.set_cookie(
                self._cookie_name(request),
                value,
                max_age=int(_LIFE.total_seconds()),
                secure=self._door.is_secure(request),
                httponly=True,
                samesite="lax",
            )
            return response

        return router

    def _make(self, bits: int) -> str:
        until = int((self._chat.clock() + _LIFE).timestamp())
        bare = f"{until}.{bits}.{secrets.token_hex(12)}"
        return f"{bare}.{self._sign(bare)}"

    def _sign(self, bare: str) -> str:
        return self._chat.hasher.hash("pass", bare)[:16].hex()

    def _cookie_name(self, connection: HTTPConnection) -> str:
        return "__Host-anonchat-pass" if self._door.is_secure(connection) else "anonchat-pass"
