"""The log of a plugin that fails: who and where, and never what people wrote."""

from collections.abc import Iterator

import pytest

from anonchat.plugins import Plugin
from anonchat.plugins.errors import PluginFailed
from anonchat.plugins.testing import chat_with
from anonchat.runtime.logging import configure_logging
from anonchat.settings import Settings
from tests.logs.test_log_lines import restored_logging

__all__ = ["restored_logging"]

SECRET = "xyzzy-plugh"
plugin = Plugin("broken")


@plugin.command()
def count(text: str) -> None:
    """Fail with an error that quotes what somebody wrote."""
    {}[text]


@pytest.fixture(params=["info", "debug"])
def level(request: pytest.FixtureRequest, restored_logging: None) -> Iterator[str]:
    configure_logging(Settings(log_level=request.param))
    yield request.param


async def test_traceback_is_written_for_developers_only(
    level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(PluginFailed):
            await ann.say(room, f"/count {SECRET}")
    written = capsys.readouterr().err
    (line,) = [each for each in written.splitlines() if " ERROR " in each]
    assert "plugin broken: command /count failed in test_failing_plugins.py, line 23 | Key" in line
    assert SECRET not in line
    assert ("Traceback" in written) == (SECRET in written) == (level == "debug")
