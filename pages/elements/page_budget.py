"""Charges the work of an open page to its visitor and client network."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from fastapi import Request
from nicegui import ui

from anonchat import Charge, WorkBudget

_WAIT_MAX = timedelta(seconds=3)  # a person waits for the result


class PageBudget:
    """The work budget of the visitor of a page, shared by all pages of that visitor."""

    def __init__(self, budget: WorkBudget, request: Request) -> None:
        self._budget = budget
        self._visitor_id: str = request.scope.get("visitor", "")
        self._pass_id: str = request.scope.get("pass", "")
        self._address = request.client.host if request.client else ""

    async def spend(self, milliseconds: float) -> None:
        """Wait until the budget allows an action that a person requested.

        Raises `RateLimited` if the wait would exceed 3 s, or `LimitReached`.
        """
        await self._spend(milliseconds, max_wait=_WAIT_MAX)

    async def wait(self, milliseconds: float) -> None:
        """Wait, without a timeout, until the budget allows an action that must be done eventually.

        Raises `LimitReached` if the queue is full.
        """
        await self._spend(milliseconds, max_wait=None)

    def run_exclusively(self, milliseconds: float) -> AbstractAsyncContextManager[Charge]:
        """Run the actions of this visitor one at a time (see `WorkBudget.run_exclusively`)."""
        return self._budget.run_exclusively(
            milliseconds,
            visitor_id=self._visitor_id,
            pass_id=self._pass_id,
            address=self._address,
        )

    async def _spend(self, milliseconds: float, *, max_wait: timedelta | None) -> None:
        await self._budget.spend(
            milliseconds,
            visitor_id=self._visitor_id,
            pass_id=self._pass_id,
            address=self._address,
            max_wait=max_wait,
        )


def current_budget() -> PageBudget:
    """Return the budget of the page that is being built or whose event is being handled."""
    budget: PageBudget = ui.context.client.request.scope["budget"]
    return budget
