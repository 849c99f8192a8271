"""A database that is away for a moment leads nobody out of a room."""

import pytest

from anonchat import NotAMember, Unavailable
from pages.live import patience
from pages.live.patience import ask_patiently


class Away:
    """Answers after it was asked so often."""

    def __init__(self, times: int, last: Exception | None = None) -> None:
        self.left = times
        self._last = last

    async def ask(self) -> str:
        if self.left:
            self.left -= 1
            raise Unavailable("later")
        if self._last:
            raise self._last
        return "here"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_PAUSE", 0)


async def test_a_question_is_asked_again_until_there_is_an_answer() -> None:
    assert await ask_patiently(Away(5).ask) == "here"


async def test_a_refusal_is_an_answer() -> None:
    with pytest.raises(NotAMember):
        await ask_patiently(Away(2, NotAMember("no")).ask)


async def test_patience_has_an_end() -> None:
    with pytest.raises(Unavailable):
        await ask_patiently(Away(10_000).ask)
