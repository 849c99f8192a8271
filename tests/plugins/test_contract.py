"""The example of the contract, word for word: each hook is called and does what it says."""

import sys
from pathlib import Path
from types import FrameType

import pytest
from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from anonchat.errors import RateLimited, Refused
from anonchat.plugins.loading import load_plugins
from anonchat.plugins.plugin import Plugin
from anonchat.plugins.registry import PluginRegistry
from anonchat.plugins.testing import chat_with
from pages.elements.plugin_area import PluginArea
from tests.pages.built_page import show_page

EXAMPLE = Path(__file__).with_name("contract_example.py")


@pytest.fixture
def plugin() -> Plugin:
    """Load the example as an operator does, who has left ours on."""
    (plugin,) = [each for each in load_plugins(str(EXAMPLE)) if each.file == EXAMPLE]
    return plugin


def test_it_loads_beside_ours(plugin: Plugin, caplog: pytest.LogCaptureFixture) -> None:
    registry = PluginRegistry(load_plugins(str(EXAMPLE)))
    assert "help" in registry.commands
    assert registry.commands["roll"].call.plugin == "dice"
    assert registry.setting_names[-1] == "ANONCHAT_DICE_SIDES"
    theme = registry.themes["felt"]
    assert (theme.title, theme.accent, theme.logo) == ("Felt", "#0a6b4f", None)
    assert any("there is no file" in line and "felt.svg" in line for line in caplog.messages)


async def test_the_command_rolls_dice(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANONCHAT_DICE_SIDES", "1")
    async with chat_with(plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        await ann.say(room, "/roll 3")
        (message,) = await bob.read(room)
        assert (message.kind, message.data) == ("dice", [1, 1, 1])
        with pytest.raises(RateLimited):
            await ann.say(room, "/roll")
        await chat.advance("3s")
        await ann.say(room, "/roll")
        assert (await bob.read(room))[-1].data == [1]
        await chat.advance("3s")
        for line in ("/roll 10", "/roll many", "/roll 1 2"):
            with pytest.raises(Refused, match=r"Use it like this: /roll \[times\]"):
                await ann.say(room, line)
        member = await chat.host.chat.memberships.require(room.id, ann.visitor_id)
        (info,) = chat.host.list_commands(member, room)
        assert (info.usage, info.help) == ("/roll [times]", "Roll dice.")


async def test_the_renderer_and_the_mark_draw(plugin: Plugin) -> None:
    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        message = await ann.say(room, "/roll 2")
        assert not isinstance(message, str) and message
        first, second = message.data  # type: ignore[misc]
        html = f'<div class="dice"><b>{first}</b><b>{second}</b></div>'
        assert chat.host.drawer.draw(message) == html
        assert "".join(chat.host.drawer.mark(["well :tada: done"])) == "well 🎉 done"


async def test_the_filter_refuses_to_shout(plugin: Plugin) -> None:
    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(Refused, match="Please do not shout"):
            await ann.say(room, "HELLO")
        await ann.say(room, "hello")
        assert [message.text for message in await ann.read(room)] == ["hello"]


@pytest.mark.asyncio(loop_scope="session")  # the loop of NiceGUI, if other tests have started it
async def test_the_panel_keeps_votes_in_the_state_of_the_room(plugin: Plugin) -> None:
    async with chat_with(plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        (panel,) = chat.host.registry.panels.values()
        assert (panel.title, panel.icon) == ("Poll", "chart")
        for person, vote in ((ann, "tea"), (bob, "coffee")):
            with show_page(chat.host.chat, visitor_id=person.visitor_id) as client:
                with PluginArea("dice") as area:
                    await chat.host.show_panel(
                        panel,
                        room.id,
                        person.visitor_id,
                        language=chat.languages["en"],
                        add_watcher=area.watch_state,
                    )
                (select,) = [each for each in area.descendants() if isinstance(each, ui.select)]
                assert select.options == ["tea", "coffee"]
                event = ValueChangeEventArguments(
                    sender=select, client=client, value=vote, previous_value=None
                )
                for handler in select._change_handlers:
                    await handler(event)  # type: ignore[call-arg, misc]
        votes = await chat.state(plugin, room).get("votes")
        authors = [(await person.member(room)).author for person in (ann, bob)]
        assert votes == dict(zip(authors, ("tea", "coffee"), strict=True))


async def test_the_action_runs_the_command(plugin: Plugin) -> None:
    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        (action,) = chat.host.list_actions("room")
        assert (action.title, action.icon) == ("Roll", "dice")
        await ann.act(room, "Roll")
        (message,) = await ann.read(room)
        assert (message.kind, len(message.data)) == ("dice", 2)  # type: ignore[arg-type]


@pytest.mark.asyncio(loop_scope="session")  # the loop of NiceGUI, if other tests have started it
async def test_the_page_shows_its_text(plugin: Plugin) -> None:
    async with chat_with(plugin) as chat:
        page = chat.host.registry.pages["/about"]
        assert (page.title, page.in_menu, page.needs_visitor) == ("About", True, False)
        with show_page(chat.host.chat) as client:
            await chat.host.show_page(page, None, chat.languages["en"])
            texts = [
                each.content for each in client.layout.descendants() if hasattr(each, "content")
            ]
        assert "…" in "".join(texts)


async def test_the_listener_and_the_job_are_called(plugin: Plugin) -> None:
    calls: list[str] = []
    sys.setprofile(lambda frame, what, _: what == "call" and _note(calls, frame))
    try:
        async with chat_with(plugin) as chat:
            ann = await chat.enter("Ann")
            room = await chat.open_room("tea", ann)
            await ann.say(room, "hello")
            await chat.advance("25m")
    finally:
        sys.setprofile(None)
    assert calls == ["count", "remind", "remind"]


def _note(calls: list[str], frame: FrameType) -> None:
    """Note the calls of the functions that do nothing."""
    code = frame.f_code
    if code.co_filename == str(EXAMPLE) and code.co_name in ("count", "remind"):
        calls.append(code.co_name)
