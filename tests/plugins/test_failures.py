"""What fails in a plugin is named with its line there, not with one of a library or of ours."""

import logging
from pathlib import Path
from types import ModuleType

import pytest
import regex

from anonchat.errors import NotFound
from anonchat.plugins import Chat, MessagePosted, Plugin
from anonchat.plugins.errors import find_place
from anonchat.plugins.testing import chat_with

ROOT = Path(__file__).parents[2]


def run_at(file: Path, code: str) -> ModuleType:
    """Return a module whose code is compiled as if it were in a file."""
    module = ModuleType("made")
    exec(compile(code, str(file), "exec"), vars(module))
    return module


@pytest.mark.parametrize("folder", [ROOT, Path("/somewhere/else")])
def test_the_place_is_in_the_plugin_though_our_code_raises(folder: Path) -> None:
    mine = folder / "mine.py"
    code = "from anonchat.durations import parse_duration\n\n\ndef fail(): parse_duration('soon')\n"
    with pytest.raises(ValueError) as failed:
        run_at(mine, code).fail()
    assert find_place(failed.value, folder) == (str(mine), 4)


def test_the_place_is_in_the_plugin_though_a_library_beside_it_raises() -> None:
    folder = Path(regex.__file__).parents[2]  # that of all libraries
    mine = folder / "mine.py"
    code = "import regex\n\n\ndef fail(): regex.compile('(')\n"
    with pytest.raises(Exception, match="missing") as failed:
        run_at(mine, code).fail()
    assert find_place(failed.value, folder) == (str(mine), 4)
    assert find_place(failed.value, Path("/nowhere")) is None


def line_of(text: str) -> int:
    """Return the number of the only line of this file that ends with a text."""
    lines = Path(__file__).read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if line.endswith(text)]
    return number


async def test_a_job_that_is_refused_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    plugin = Plugin("mine")

    @plugin.every("10m")
    async def remind(chat: Chat) -> None:
        raise NotFound("xyzzy-plugh")  # here the job fails

    async with chat_with(plugin) as chat:
        await chat.advance("10m")
    (record,) = caplog.records
    line = line_of("# here the job fails")
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"plugin mine: job remind was refused in test_failures.py, line {line}: NotFound"
    )


async def test_a_listener_that_is_refused_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    plugin = Plugin("mine")

    @plugin.on(MessagePosted)
    async def listen(event: MessagePosted, chat: Chat) -> None:
        chat.find_room(event.message.text)  # here the listener fails

    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        await ann.say(await chat.open_room("tea", ann), "xyzzy-plugh")
        await chat.settle()
    line = line_of("# here the listener fails")
    assert caplog.messages == [
        "plugin mine: listener of MessagePosted was refused in test_failures.py, "
        f"line {line}: NotFound"
    ]
