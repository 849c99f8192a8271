"""Our own plugins are examples: they use the API that everybody has, and do not get in the way."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from anonchat.plugins.loading import list_builtin_names, load_plugins
from anonchat.plugins.registry import PluginRegistry

FOLDER = Path(__file__).parents[2] / "anonchat" / "plugins" / "builtin"
FILES = sorted(FOLDER.glob("[!_]*.py"))
_ALLOWED = {"anonchat.plugins", "htpy", "nicegui", "pydantic", *sys.stdlib_module_names}
_LINES_MAX = {"themes": 260}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_plugin_of_ours_imports_the_public_api_alone(path: Path) -> None:
    assert {*_list_imports(path)} <= _ALLOWED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_plugin_of_ours_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= _LINES_MAX.get(path.stem, 200)


def test_plugins_of_ours_are_named_like_their_files() -> None:
    assert list_builtin_names() == [path.stem for path in FILES]
    assert [plugin.name for plugin in load_plugins("")] == list_builtin_names()


def test_plugins_of_ours_take_little_space() -> None:
    registry = PluginRegistry(load_plugins(""))
    assert [panel.title for panel in registry.panels.values()] == ["Polls"]
    assert not registry.actions and not registry.pages and not registry.inline_marks


def test_every_command_of_ours_has_help() -> None:
    commands = PluginRegistry(load_plugins("")).commands.values()
    assert [command.name for command in commands if not command.help] == []


def _list_imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports: `anonchat.plugins` as a whole, others by package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module if module.startswith("anonchat") else module.partition(".")[0] or module
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0]
