"""The examples of docs/plugins.md are plugins that work, and the page shows them as they are."""

import builtins
import inspect
import re
import runpy
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from fastapi import FastAPI

from anonchat import plugins
from anonchat.api import add_plugin_routes
from anonchat.plugins import Message, Plugin, Refused
from anonchat.plugins.loading import list_builtin_names, load_plugins
from anonchat.plugins.registry import PluginRegistry
from anonchat.plugins.testing import chat_with
from tests.plugins.shown_panel import show_panel

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "examples" / "plugins"
EXAMPLES = sorted(path.name for path in FOLDER.glob("*.py"))
SNIPPETS = dict(
    re.findall(
        r"^<!-- (\S+) -->\n+```python\n(.*?)^```",
        (DOCS / "plugins.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
)


def _load(name: str) -> Plugin:
    """Load a plugin of the examples as an operator does."""
    path = FOLDER / f"{name}.py"
    (plugin,) = (each for each in load_plugins(str(path)) if each.file == path)
    return plugin


def _run(name: str, code: str) -> ModuleType:
    """Run a snippet of the page."""
    module = ModuleType(name)
    module.__file__ = f"{name}.py"
    exec(compile(code, module.__file__, "exec", dont_inherit=True), vars(module))
    return module


def test_the_page_shows_every_example_as_it_is() -> None:
    assert sorted(name for name in SNIPPETS if name.endswith(".py")) == EXAMPLES
    for name in EXAMPLES:
        assert SNIPPETS[name] == (FOLDER / name).read_text(), name


def test_no_snippet_is_left_untested() -> None:
    page = (DOCS / "plugins.md").read_text()
    assert page.count("```python") == len(SNIPPETS) == len(EXAMPLES) + 2


def test_all_examples_load_together_beside_ours() -> None:
    registry = PluginRegistry(load_plugins(str(FOLDER)))
    names = {Path(name).stem for name in EXAMPLES}
    assert names <= {plugin.name for plugin in registry.plugins}


def test_page_lists_our_plugins() -> None:
    section = (DOCS / "plugins.md").read_text().partition("\n## Ours\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list_builtin_names()


def test_page_lists_the_icons_of_the_style_sheet() -> None:
    page = (DOCS / "plugins.md").read_text()
    listed = page.partition("`icon` is one of ours:")[2].partition(".\n")[0]
    style_sheet = (DOCS.parent / "pages" / "assets" / "theme.css").read_text()
    icons = re.findall(r"^\.icon-([a-z]+)(?:,\n[^{]+)? \{\n  --shape:", style_sheet, re.MULTILINE)
    assert re.findall(r"`([a-z]+)`", listed) == sorted({*icons})


def test_each_example_fits_on_a_screen() -> None:
    lines = {name: len((FOLDER / name).read_text().splitlines()) for name in EXAMPLES}
    assert max(lines.values()) <= 50
    code = (FOLDER / "felt.py").read_text().splitlines()
    assert len([line for line in code if line]) <= 5  # a theme in five lines


def test_felt_is_a_theme() -> None:
    (theme,) = _load("felt").themes
    assert (theme.title, theme.accent, theme.headline) == ("Felt", "#0a6b4f", "Take a seat")


async def test_greeting_has_two_typed_arguments() -> None:
    async with chat_with(_load("greeting")) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        await ann.say(room, '/greet "Bob and Cid" 2')
        assert (await ann.read(room))[-1].text == "Hello Hello Bob and Cid!"
        with pytest.raises(Refused, match=r"/greet <name> \[times\]"):
            await ann.say(room, "/greet Bob 4")


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("press [[Ctrl+K]].", "press <kbd>Ctrl+K</kbd>."),
        ("[[<b>]]", "<kbd>&lt;b&gt;</kbd>"),
        ("a[[1]] and [[]]", "a<kbd>1</kbd> and [[]]"),
    ],
)
async def test_keys_are_drawn_inside_of_messages(text: str, drawn: str) -> None:
    async with chat_with(_load("keys")) as chat:
        assert "".join(chat.host.drawer.mark([text])) == drawn


async def test_calm_refuses_and_changes() -> None:
    async with chat_with(_load("calm")) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(Refused, match="do not shout"):
            await ann.say(room, "WHERE IS MY TEA")
        for text in ("OK THEN", "Tea!!!"):
            await ann.say(room, text)
        assert [each.text for each in await ann.read(room)] == ["OK THEN", "Tea!"]


async def test_stars_are_drawn() -> None:
    async with chat_with(_load("stars")) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        await ann.say(room, '/rate "The Left Hand" 4')
        (message,) = await ann.read(room)
        assert message.text == "The Left Hand: 4/5"
        assert chat.draw(message) == "<span><b>The Left Hand</b> ★★★★☆</span>"
        plain = await ann.say(room, "<b>no kind</b>")
        assert isinstance(plain, Message) and chat.draw(plain) == "<b>no kind</b>"


@pytest.mark.asyncio(loop_scope="session")  # the loop of NiceGUI, if other tests have started it
async def test_countdown_is_the_same_on_all_panels() -> None:
    async with chat_with(_load("countdown")) as chat:
        people = [await chat.enter(name) for name in ("Ann", "Bob")]
        room = await chat.open_room("tea", *people)
        async with show_panel(people[0], room, "Countdown") as first:
            async with show_panel(people[1], room, "Countdown") as second:
                assert "0:00" in second.list_texts()
                await first.click("5 min")
                await second.redraw()
                assert "5:00" in first.list_texts() and "5:00" in second.list_texts()
                await second.click("Stop")
                await first.redraw()
                assert "0:00" in first.list_texts()


async def test_actions_do_what_commands_do() -> None:
    async with chat_with(_load("actions")) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        assert str(await ann.act(room, "Flip a coin")).startswith("Ann, the coin of tea shows ")
        message = await ann.say(room, "hello")
        await bob.act(room, "Applaud", message)  # type: ignore[arg-type]
        assert (await ann.read(room))[-1].text == "👏 Ann"


async def test_doorbell_tells_the_owner_alone() -> None:
    async with chat_with(_load("doorbell")) as chat:
        ann, bob, cid = [await chat.enter(name) for name in ("Ann", "Bob", "Cid")]
        room = await chat.open_room("tea", ann, bob, cid)
        await chat.settle()
        assert ann.told(room) == ["Bob came in.", "Cid came in."]
        assert bob.told(room) == cid.told(room) == []


async def test_chimes_reach_those_who_are_there() -> None:
    async with chat_with(_load("hourly")) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room, other = await chat.open_room("tea", ann, bob), await chat.open_room("quiet", ann)
        for each in (room, other):
            await ann.say(each, "hello")
            await ann.look_at(each)
        assert await ann.say(room, "/chimes on") == "The chimes are on."
        await chat.advance("1h")
        assert ann.told(room) == ["It is 13:00 UTC."]
        assert ann.told(other) == bob.told(room) == []
        await ann.say(room, "/chimes off")
        await chat.advance("1h")
        assert len(ann.told(room)) == 1


async def test_webhook_posts_for_who_knows_the_url() -> None:
    plugin = _load("webhook")
    web = FastAPI()
    add_plugin_routes(web, [plugin])
    async with (
        chat_with(plugin, base_url="https://chat.example.org") as chat,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=web)) as http,
    ):
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        url = str(await ann.say(room, "/webhook"))
        assert url.startswith("https://chat.example.org/plugins/webhook/")
        assert (await http.post(url, json={"text": "green"})).status_code == 204
        assert [(each.nickname, each.text) for each in await bob.read(room)] == [("Ann", "green")]
        for wrong, body, status in (
            (f"{url}x", {"text": "red"}, 404),
            (url.replace(room.id, "x"), {"text": "red"}, 404),
            (url, {"text": ""}, 422),
        ):
            assert (await http.post(wrong, json=body)).status_code == status
        assert len(await bob.read(room)) == 1


async def test_counter_counts() -> None:
    async with chat_with(_run("counter", SNIPPETS["counter"]).plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        assert [await ann.say(room, "/count") for _ in range(3)] == ["1", "2", "3"]


async def test_the_tests_of_the_page_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    tests = {
        name: function
        for name, function in vars(_run("snippet", SNIPPETS["test"])).items()
        if name.startswith("test_")
    }
    assert len(tests) == 2
    for function in tests.values():
        result = function()
        if inspect.isawaitable(result):
            await result


def test_errors_of_the_reference_can_be_imported() -> None:
    reference = (DOCS / "plugins-reference.md").read_text()
    raised = {
        name
        for sentence in re.findall(r"\bRaises\b[^.;]*", reference)
        for name in re.findall(r"`([A-Z]\w+)`", sentence)
    }
    assert {"NotAMember", "NeedsConfirmation"} <= raised
    assert {name for name in raised if not hasattr(builtins, name)} <= {*plugins.__all__}


def test_the_reference_is_that_of_the_docstrings() -> None:
    script = runpy.run_path(str(DOCS / "plugins_reference.py"))
    assert script["REFERENCE"].read_text() == script["make_reference"](), (
        "run python docs/plugins_reference.py"
    )
