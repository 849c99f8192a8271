"""Loading plugins: where they are found, and the one line that a start ends with."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anonchat.plugins.errors import PluginError
from anonchat.plugins.loading import list_builtin_names, list_plugin_folders, load_plugins
from anonchat.plugins.plugin import Plugin
from anonchat.plugins.registry import PluginRegistry
from anonchat.settings.sources import read_settings, require_known_settings
from tests.timeouts import DEADLINE
from tools.servers.process import ROOT

NONE_OF_OURS = ",".join(f"-{name}" for name in list_builtin_names())
HELLO = """\
from anonchat.plugins import Plugin

plugin = Plugin("hello")

@plugin.command()
def hello() -> str:
    return "hello"
"""

WriteFile = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def forget_modules() -> Iterator[None]:
    """Let each test import its own plugins."""
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    def write(name: str, content: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return write


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)


def load(names: object) -> list[Plugin]:
    """Load these without ours."""
    return load_plugins(f"{NONE_OF_OURS},{names}")


def names_of(plugins: list[Plugin]) -> list[str]:
    return [plugin.name for plugin in plugins]


def test_ours_are_loaded_first_and_can_be_left_out() -> None:
    ours = list_builtin_names()
    assert ours
    assert names_of(load_plugins(""))[: len(ours)] == ours, "named like their files"
    assert names_of(load_plugins(f"-{ours[0]}")) == ours[1:]
    assert load_plugins(NONE_OF_OURS) == []


def test_a_plugin_that_is_called_like_one_of_ours_replaces_it(write: WriteFile) -> None:
    ours = list_builtin_names()
    path = write("mine.py", HELLO.replace('Plugin("hello")', f'Plugin("{ours[0]}")'))
    plugins = load_plugins(str(path))
    assert names_of(plugins) == [*ours[1:], ours[0]]
    assert plugins[-1].file == path


def test_a_file_is_loaded(write: WriteFile) -> None:
    (plugin,) = load(write("greetings/hello.py", HELLO))
    assert plugin.name == "hello"
    assert [command.name for command in plugin.commands] == ["hello"]
    assert plugin.commands[0].call.function() == "hello", "the function stays as it is"


def test_a_file_in_the_home_folder_is_loaded(
    write: WriteFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("hello.py", HELLO)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert names_of(load("~/hello.py")) == ["hello"]


def test_each_file_of_a_folder_is_loaded_in_order_of_names(write: WriteFile) -> None:
    for name in ("b", "a", "_helpers", "test_a", "conftest"):
        write(f"mine/{name}.py", HELLO.replace("hello", name))
    folder = write("mine/notes.txt", "not Python").parent
    assert names_of(load(folder)) == ["a", "b"]


def test_files_of_the_same_name_in_two_folders_are_two_plugins(write: WriteFile) -> None:
    one = write("one/plugin.py", HELLO)
    two = write("two/plugin.py", HELLO.replace("hello", "bye"))
    plugins = load(f"{one}, {two}")
    assert names_of(plugins) == ["hello", "bye"]
    assert [plugin.file for plugin in plugins] == [one, two]


@pytest.mark.usefixtures("on_path")
def test_a_module_is_loaded_once_though_another_imports_its_plugin(write: WriteFile) -> None:
    write("greetings_here/__init__.py", "")
    write("greetings_here/hello.py", HELLO)
    again = "from greetings_here.hello import plugin as other\n" + HELLO.replace("hello", "bye")
    plugins = load(f"greetings_here.hello,{write('bye.py', again)}")
    assert names_of(plugins) == ["hello", "bye"]


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize("value", ["said_here:plugin", "said_here"])
def test_an_entry_point_is_loaded(write: WriteFile, value: str) -> None:
    write("said_here.py", HELLO)
    write("said-1.0.dist-info/METADATA", "Name: said\nVersion: 1.0\n")
    write("said-1.0.dist-info/entry_points.txt", f"[anonchat.plugins]\nsay-hello = {value}\n")
    assert names_of(load("say-hello")) == ["hello"]


def fail_to_start(names: object) -> str:
    """Return the line that a start with these plugins ends with."""
    with pytest.raises(PluginError) as raised:
        PluginRegistry(load(names))
    line = str(raised.value)
    assert len(line.splitlines()) == 1
    return line


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("missing.py", "plugin missing.py: there is no such file or folder"),
        ("some/folder", "plugin some/folder: there is no such file or folder"),
        ("missing", "plugin missing: there is no such file, folder, module or entry point"),
        ("mis-sing", "plugin mis-sing: there is no such file, folder, module or entry point"),
        ("json.missing", "plugin json.missing: there is no such file, folder, module or entry"),
        (".missing", "plugin .missing: there is no such file, folder, module or entry point"),
        ("json", "plugin json ("),
        ("-missing", "plugin missing: cannot be left out: ours are "),
    ],
)
def test_what_is_not_found_is_named(given: str, reason: str) -> None:
    assert fail_to_start(given).startswith(reason)


def test_a_file_that_is_no_plugin_is_named(write: WriteFile) -> None:
    assert fail_to_start(path := write("empty.py", "")) == (
        f'plugin empty ({path}): it creates no plugin; needs plugin = Plugin("name")'
    )
    assert fail_to_start(path := write("a.txt", "")) == f"plugin a ({path}): is not a Python file"
    folder = write("nothing/_hidden.py", HELLO).parent
    assert fail_to_start(folder) == f"plugin {folder}: there is no *.py in this folder"


@pytest.mark.usefixtures("on_path")
def test_two_packages_with_one_entry_point_are_named(write: WriteFile) -> None:
    write("said_here.py", HELLO)
    for name in ("said", "told"):
        write(f"{name}-1.0.dist-info/METADATA", f"Name: {name}\nVersion: 1.0\n")
        write(f"{name}-1.0.dist-info/entry_points.txt", "[anonchat.plugins]\nhi = said_here\n")
    assert "several packages have it as an entry point: " in fail_to_start("hi")


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("x = 1\nx = (", 2, "'(' was never closed"),
        ("if True:\npass", 2, "expected an indented block"),
        ("import os\nimport no_such_package", 2, "ModuleNotFoundError: No module named 'no_su"),
        ("import plugin_file", 1, "ModuleNotFoundError: No module named 'plugin_file'"),
        ("from os import no_such_name", 1, "ImportError: cannot import name 'no_such_name'"),
        ("from anonchat.plugins import Message, Bot", 1, "ImportError: cannot import name 'Bot'"),
        ("x = 1\n\nx / 0", 3, "ZeroDivisionError: division by zero"),
        ("import json\njson.loads('{')", 2, "JSONDecodeError: Expecting property name"),
        ("raise ValueError('two\\nlines')", 1, "ValueError: two lines"),
        ("import sys\nsys.exit('enough')", 2, "SystemExit: enough"),
    ],
)
def test_a_file_that_fails_is_named_with_its_line(
    write: WriteFile, content: str, line: int, reason: str
) -> None:
    path = write("plugin_file.py", content)
    assert fail_to_start(path).startswith(f"plugin plugin_file ({path}, line {line}): {reason}")


def test_a_file_that_cannot_be_read_is_named(write: WriteFile) -> None:
    path = write("latin.py", "")
    path.write_bytes("# Größe".encode("latin-1"))
    assert fail_to_start(path).startswith(f"plugin latin ({path}): ")


HEAD = """\
from enum import Enum
from typing import Any
from anonchat.plugins import *
plugin = Plugin("mine")
def call(*_, **__): ...
class Other(PluginSettings):
    x: int = 1
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("@plugin.command()\ndef f(database): ...", "command /f: asks for an unknown parameter: d"),
        ("@plugin.command()\ndef f(chat: Any, d: object): ...", ""),
        (
            "@plugin.command()\ndef f(message: Message): ...",
            "asks for an unknown parameter: messag",
        ),
        ("@plugin.command()\ndef f(draft: Draft): ...", "asks for an unknown parameter: draft: "),
        ("@plugin.command()\ndef f(x: Other): ...", "asks for an unknown parameter: x: "),
        (
            "@plugin.command()\ndef f(x: list[str]): ...",
            "command /f: x: list[str] cannot be an argument, which is read from a single word",
        ),
        ("@plugin.command()\ndef f(x: type(plugin)): ...", "asks for an unknown parameter: x"),
        ("@plugin.command()\ndef f(x: 'Nothing'): ...", "annotations of the command /f cannot be"),
        ("@plugin.command()\ndef f(*words: str): ...", "has a parameter *words: str, which cannot"),
        ("@plugin.command()\ndef f(x: str, /): ...", "has a parameter x: str, which cannot be"),
        ("@plugin.command('Two words')\ndef f(): ...", "Two words cannot be the name of a command"),
        ("@plugin.command(who='all')\ndef f(): ...", "who is members, helpers or owner, not all"),
        ("@plugin.command(cooldown='soon')\ndef f(): ...", "command /f: "),
        ("@plugin.command\ndef f(): ...", "write @plugin.command(…), with parentheses"),
        ("@plugin.filter\ndef f(x: Draft, y: int): ...", "filter f asks for an unknown parameter"),
        ("@plugin.filter()\ndef f(x: Draft): ...", "write @plugin.filter, without parentheses"),
        ("@plugin.filter\ndef f(chat: Chat): ...", "a filter needs a parameter of the type Draft"),
        ("@plugin.renderer('a kind')\ndef f(m: Message): ...", "a kind cannot be the name of a ki"),
        ("@plugin.renderer('a')\ndef f(m: Room): ...", "renderer of a asks for an unknown paramet"),
        ("@plugin.renderer('a')\nasync def f(m: Message): ...", "renderer of a cannot be async"),
        ("@plugin.renderer\ndef f(m: Message): ...", "write @plugin.renderer(…), with parentheses"),
        ("@plugin.inline('(')\ndef f(match): ...", "inline mark f: not a regular expression: "),
        ("@plugin.inline('a')\ndef f(): ...", "the inline mark f needs one parameter: the match"),
        ("@plugin.inline('a')\nasync def f(match): ...", "inline mark f cannot be async"),
        ("@plugin.panel('Poll')\ndef f(x: Message): ...", "panel Poll asks for an unknown paramet"),
        ("@plugin.action('Roll')\ndef f(x: Message): ...", "action Roll asks for an unknown param"),
        (
            "@plugin.action('Roll', where='menu')\ndef f(): ...",
            "where is room or message, not menu",
        ),
        (
            "@plugin.page('/a')\ndef f(room: Room): ...",
            "page /a asks for an unknown parameter: roo",
        ),
        ("@plugin.page('a b')\ndef f(): ...", "a path is like /about, not a b"),
        (
            "@plugin.on(str)\ndef f(event: str): ...",
            "the events are MessagePosted, MessageEdited, M",
        ),
        ("@plugin.on(RoomEnded)\ndef f(x: Room): ...", "listener of RoomEnded asks for an unknown"),
        ("@plugin.on\ndef f(event: MessagePosted): ...", "write @plugin.on(…), with parentheses"),
        ("@plugin.every('soon')\ndef f(): ...", "job every soon: "),
        (
            "@plugin.every('10m')\ndef f(room: Room): ...",
            "job f asks for an unknown parameter: roo",
        ),
        ("@plugin.cron('0 9 * * someday')\ndef f(): ...", "job cron 0 9 * * someday: "),
        ("plugin.theme('felt', light={'papper': '#fff'})", "there is no colour papper"),
        ("plugin.theme('felt', accent='greenish')", "theme felt: accent needs a colour"),
        ("Plugin('Mine')", "the name of a plugin is like dice or word-filter"),
        ("Plugin('styled', css='missing.css')", "there is no file "),
    ],
)
def test_a_wrong_use_of_a_decorator_is_named_with_its_line(
    write: WriteFile, code: str, reason: str
) -> None:
    path = write("mine.py", HEAD + code)
    if not reason:
        assert load(path)
        return
    line = fail_to_start(path)
    number = len(HEAD.splitlines()) + 1
    name = "Mine" if "Mine'" in code else "styled" if "styled" in code else "mine"
    assert line.startswith(f"plugin {name} ({path}, line {number}): ")
    assert reason in line


CLASHES = [
    ("@plugin.command('roll')\ndef NAME(): ...", "the command /roll exists already, in plugin a"),
    ("@plugin.renderer('x')\ndef NAME(m: Message): ...", "the renderer of x exists already, in p"),
    ("@plugin.page('/x')\ndef NAME(): ...", "the page /x exists already, in plugin a"),
    ("plugin.theme('felt')", "the theme felt exists already"),
]


@pytest.mark.parametrize(("code", "reason"), CLASHES)
def test_one_name_in_two_plugins_is_named_with_its_line(
    write: WriteFile, code: str, reason: str
) -> None:
    for name in ("a", "b"):
        head = f"from anonchat.plugins import *\nplugin = Plugin({name!r})\n"
        path = write(f"{name}.py", head + code.replace("NAME", f"of_{name}"))
    assert fail_to_start(path.parent).startswith(f"plugin b ({path}, line 3): {reason}")


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("commands", "roll", "@plugin.command('roll')\ndef mine(): ..."),
        ("renderers", "me", "@plugin.renderer('me')\ndef mine(m: Message): ..."),
        ("themes", "ink", "plugin.theme('ink', title='Mine')"),
    ],
)
def test_what_has_the_name_of_something_of_ours_replaces_it(
    write: WriteFile, kind: str, name: str, code: str
) -> None:
    registry = PluginRegistry(load_plugins(str(write("mine.py", HEAD + code))))
    found = getattr(registry, kind)[name]
    assert found.title == "Mine" if kind == "themes" else found.call.plugin == "mine"


def test_two_plugins_of_one_name_are_named(write: WriteFile) -> None:
    one, two = write("one.py", HELLO), write("two.py", f"\n{HELLO}")
    assert fail_to_start(f"{one},{two}") == (
        f"plugin hello ({two}, line 4): the name of a plugin is taken already, by {one}"
    )


@pytest.mark.parametrize("path", ["/lite", "/r/x", "/api/v1/x", "/plugins/x", "/privacy"])
def test_a_page_at_a_path_of_ours_is_refused(write: WriteFile, path: str) -> None:
    code = f"{HELLO}@plugin.page({path!r})\ndef page(): ...\n"
    assert f"the page {path} has a path of anonchat itself" in fail_to_start(write("a.py", code))


def test_a_theme_whose_files_are_missing_is_used_without_them(
    write: WriteFile, caplog: pytest.LogCaptureFixture
) -> None:
    code = f"{HELLO}plugin.theme('felt', accent='#0a6b4f', logo='felt.svg', css='felt.css')\n"
    path = write("hello.py", code)
    (plugin,) = load(path)
    (theme,) = PluginRegistry([plugin]).themes.values()
    assert theme.logo is theme.css is None
    assert [record.getMessage() for record in caplog.records] == [
        f"plugin hello: theme felt: there is no file {path.with_name(name)}"
        for name in ("felt.svg", "felt.css")
    ]


SETTINGS = """\
from pydantic import Field, SecretStr
from anonchat.plugins import Plugin, PluginSettings

class Dice(PluginSettings):
    sides: int = Field(6, ge=2)
    names: list[str] = []
    token: SecretStr = Field(SecretStr("none"), min_length=4)

plugin = Plugin("loaded-dice", settings=Dice)
"""


def test_settings_of_a_plugin_are_read(write: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("dice.py", SETTINGS)
    monkeypatch.setenv("ANONCHAT_LOADED_DICE_SIDES", "20")
    write(".env", 'ANONCHAT_LOADED_DICE_NAMES=["red"]\n')
    folder = write("secrets/anonchat_loaded_dice_token", "xyzzy").parent
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    registry = PluginRegistry(load(path))
    dice = registry.settings["loaded-dice"].model_dump()
    assert (dice["sides"], dice["names"]) == (20, ["red"])
    assert dice["token"].get_secret_value() == "xyzzy"
    require_known_settings(registry.setting_names)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SIDES", "many", "ANONCHAT_LOADED_DICE_SIDES: Input should be a valid integer"),
        ("SIDES", "1", "ANONCHAT_LOADED_DICE_SIDES: Input should be greater than or equal to 2"),
        ("NAMES", "red,blue", "ANONCHAT_LOADED_DICE_NAMES is not JSON, which a list"),
        ("TOKEN", "xyz", "ANONCHAT_LOADED_DICE_TOKEN: Value should have at least 4 items"),
    ],
)
def test_a_wrong_setting_is_named(
    write: WriteFile, monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    path = write("dice.py", SETTINGS)
    monkeypatch.setenv(f"ANONCHAT_LOADED_DICE_{name}", value)
    line = fail_to_start(path)
    assert line.startswith(f"plugin loaded-dice: {reason}")
    assert "xyz" not in line, "secrets are not quoted"


def test_a_setting_without_a_value_is_named(write: WriteFile) -> None:
    path = write("dice.py", SETTINGS.replace("sides: int = Field(6, ge=2)", "sides: int"))
    line = "plugin loaded-dice: ANONCHAT_LOADED_DICE_SIDES: needs a value"
    assert fail_to_start(path) == line


def test_a_setting_that_is_one_of_ours_is_named(write: WriteFile) -> None:
    content = SETTINGS.replace("loaded-dice", "log").replace("sides:", "level:")
    path = write("log.py", content)
    assert fail_to_start(path) == (
        f"plugin log ({path}, line 9): its setting ANONCHAT_LOG_LEVEL is one of anonchat itself"
    )


def test_one_setting_of_two_plugins_is_named(write: WriteFile) -> None:
    one = write("one.py", SETTINGS)
    other = SETTINGS.replace("loaded-dice", "loaded").replace("sides:", "dice_sides:")
    assert "its setting ANONCHAT_LOADED_DICE_SIDES is one of plugin loaded-dice" in fail_to_start(
        f"{one},{write('two.py', other)}"
    )


def test_an_unknown_setting_is_refused_once_plugins_are_loaded(
    write: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("dice.py", SETTINGS)
    monkeypatch.setenv("ANONCHAT_PLUGINS", str(path))
    monkeypatch.setenv("ANONCHAT_LOADED_DICE_SIDE", "6")
    read_settings()  # it may be a setting of a plugin
    registry = PluginRegistry(load(path))
    nearest = (
        "ANONCHAT_LOADED_DICE_SIDE is not a setting; the nearest is ANONCHAT_LOADED_DICE_SIDES"
    )
    with pytest.raises(Exception, match=nearest):
        require_known_settings(registry.setting_names)


@pytest.mark.usefixtures("on_path")
def test_the_folders_of_plugins_are_found_without_importing_them(write: WriteFile) -> None:
    file = write("files/broken.py", "raise SystemExit")
    module = write("modules_here/__init__.py", "raise SystemExit")
    write("said_there.py", "raise SystemExit")
    write("said-1.0.dist-info/METADATA", "Name: said\nVersion: 1.0\n")
    write("said-1.0.dist-info/entry_points.txt", "[anonchat.plugins]\nhi = said_there\n")
    folders = list_plugin_folders(f"-x,{file},{file.parent},modules_here,hi,missing,{file}x.py")
    assert folders == [file.parent, module.parent, module.parent.parent]


@pytest.mark.parametrize("module", ["anonchat.plugins", "anonchat.plugins.testing"])
def test_the_package_can_be_imported_first(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr
