"""Retries of calls while the database is unavailable."""

import pytest

from anonchat import NotAMember, Unavailable
from pages.elements import retry
from pages.elements.retry import call_with_retry


class FlakyService:
    """Raises `Unavailable` a number of times, then `error` or returns "here"."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self._failures_left = failures
        self._error = error

    async def call(self) -> str:
        if self._failures_left:
            self._failures_left -= 1
            raise Unavailable("later")
        if self._error:
            raise self._error
        return "here"


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_DELAY_SECONDS", 0)


async def test_unavailable_service_is_retried_until_it_answers() -> None:
    assert await call_with_retry(FlakyService(5).call) == "here"


async def test_refusal_ends_the_retries() -> None:
    with pytest.raises(NotAMember):
        await call_with_retry(FlakyService(2, NotAMember("no")).call)


async def test_retries_are_limited() -> None:
    with pytest.raises(Unavailable):
        await call_with_retry(FlakyService(10_000).call)
