"""Cookies, valid for ten minutes, for unauthenticated clients that solved a challenge."""

import hmac
import secrets
from datetime import timedelta

from fastapi import APIRouter, Request, Response
from starlette.requests import HTTPConnection

from anonchat import ChallengeUnsolved, Chat

from .auth import SessionAuth, cookie_path
from .client_address import client_address

_COOKIE = "anonchat-pass"
_LIFETIME = timedelta(minutes=10)
_BITS_TOLERANCE = 2  # the difficulty may have been lower when the pass was issued


class ChallengePasses:
    """Issues a pass for a solved challenge, and verifies it in later requests.

    A pass is not stored: it contains its expiry time and the difficulty of its challenge, and is
    signed. `ProofOfWork` ensures that a solution yields one pass only.
    """

    def __init__(self, chat: Chat, auth: SessionAuth) -> None:
        self._chat = chat
        self._auth = auth

    def read(self, connection: HTTPConnection) -> str:
        """Return the id of the request's pass; "" if it has none or an invalid one."""
        cookie = connection.cookies.get(self._auth.cookie_name(connection, _COOKIE), "")
        payload, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(self._sign(payload).encode(), signature.encode()):
            return ""
        expires_at, bits, id = payload.split(".")
        needed = (
            self._chat.network_throttle.challenge_bits(client_address(connection)) - _BITS_TOLERANCE
        )
        is_valid = int(expires_at) >= self._chat.clock().timestamp() and int(bits) >= needed
        return id if is_valid else ""

    def routes(self) -> APIRouter:
        """Return the route that exchanges a solution for a pass."""
        router = APIRouter(include_in_schema=False)

        @router.post("/pass", status_code=204)
        async def issue_pass(request: Request) -> Response:
            solution = (await request.body()).decode("latin-1")
            bits = self._chat.network_throttle.challenge_bits(client_address(request))
            try:
                with self._chat.proof_of_work.redeem(solution, bits=bits):
                    value = self._issue(bits)
            except ChallengeUnsolved:
                return Response(status_code=403)
            response = Response(status_code=204)
            response.set_cookie(
                self._auth.cookie_name(request, _COOKIE),
                value,
                max_age=int(_LIFETIME.total_seconds()),
                path=cookie_path(request),
                secure=self._auth.is_secure(request),
                httponly=True,
                samesite="lax",
            )
            return response

        return router

    def _issue(self, bits: int) -> str:
        expires_at = int((self._chat.clock() + _LIFETIME).timestamp())
        payload = f"{expires_at}.{bits}.{secrets.token_hex(12)}"
        return f"{payload}.{self._sign(payload)}"

    def _sign(self, payload: str) -> str:
        return self._chat.hasher.hash("pass", payload)[:16].hex()
