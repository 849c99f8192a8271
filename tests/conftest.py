"""What every test may ask for."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

from anonchat import Chat
from tests.fakes import FakeClock, running_chat

settings.register_profile("any machine", deadline=None, print_blob=True)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("ANONCHAT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture
async def chat(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Chat]:
    """Return a started chat, with its data in `tmp_path / "data"`."""
    async with running_chat(tmp_path / "data", clock) as chat:
        yield chat
