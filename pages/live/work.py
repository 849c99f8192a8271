"""What an open page asks of the server, charged to its visitor and client network."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from fastapi import Request

from anonchat import Charge, WorkBudget

_LONGEST_WAIT = timedelta(seconds=3)  # a person looks on


class PageWork:
    """The work budget of whoever has opened a page, on all their pages together."""

    def __init__(self, budget: WorkBudget, request: Request) -> None:
        self._budget = budget
        self._visitor_id: str = request.scope.get("visitor", "")
        self._pass_id: str = request.scope.get("pass", "")
        self._address = request.client.host if request.client else ""

    async def spend(self, milliseconds: float) -> None:
        """Wait until something may be done that a person has asked for.

        Raises `TooOften` if that would take longer than 3 s, or `LimitReached`.
        """
        await self._spend(milliseconds, longest=_LONGEST_WAIT)

    async def wait(self, milliseconds: float) -> None:
        """Wait, however long, until something may be done that has to be done in the end.

        Raises `LimitReached` if too much waits.
        """
        await self._spend(milliseconds, longest=None)

    def exclusive(self, milliseconds: float) -> AbstractAsyncContextManager[Charge]:
        """Do one thing after the other for this visitor (see `WorkBudget.exclusive`)."""
        return self._budget.exclusive(
            milliseconds,
            visitor_id=self._visitor_id,
            pass_id=self._pass_id,
            address=self._address,
        )

    async def _spend(self, milliseconds: float, *, longest: timedelta | None) -> None:
        await self._budget.spend(
            milliseconds,
            visitor_id=self._visitor_id,
            pass_id=self._pass_id,
            address=self._address,
            longest=longest,
        )
