"""The registry: everything that the loaded plugins add, by what it is found by."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from ..errors import StartupError
from ..settings import Settings
from ..settings.types import PREFIX
from .errors import error_at
from .plugin import Plugin
from .registrations import (
    Action,
    Command,
    Filter,
    InlineMark,
    Job,
    Listener,
    Page,
    Panel,
    Renderer,
)
from .settings import PluginSettings, read_plugin_settings
from .themes import Theme

_OUR_PATHS = frozenset(
    "api assets gallery healthz i lite login metrics pass plugins privacy r readyz session".split()
)
_Registered = TypeVar("_Registered", Command, Renderer, Page, Panel, Action, Job)


class PluginRegistry:
    """The loaded plugins, in order, and what they add.

    What has the name of something of ours replaces it: a later release of ours may add a command
    that a plugin has already. Raises `PluginError` if two other plugins use one name, or settings
    are wrong.
    """

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self._ours = {plugin.name for plugin in self.plugins if plugin.is_ours}
        self._require_unique_names()
        self._require_unique_settings()
        self.settings: dict[str, PluginSettings] = {
            plugin.name: read_plugin_settings(plugin.name, plugin.settings_class)
            for plugin in self.plugins
            if plugin.settings_class
        }
        self.commands: Mapping[str, Command] = self._index(
            ((each.name, each) for plugin in self.plugins for each in plugin.commands), "command /"
        )
        self.renderers: Mapping[str, Renderer] = self._index(
            ((each.kind, each) for plugin in self.plugins for each in plugin.renderers),
            "renderer of ",
        )
        self.pages: Mapping[str, Page] = self._index(
            ((each.path, each) for plugin in self.plugins for each in plugin.pages), "page "
        )
        self.panels: Mapping[str, Panel] = self._index(
            ((each.id, each) for plugin in self.plugins for each in plugin.panels), "panel "
        )
        self.actions: Mapping[str, Action] = self._index(
            ((each.id, each) for plugin in self.plugins for each in plugin.actions), "action "
        )
        self.jobs: Mapping[str, Job] = self._index(
            ((each.name, each) for plugin in self.plugins for each in plugin.jobs), "job "
        )
        self.filters: list[Filter] = [each for plugin in self.plugins for each in plugin.filters]
        self.inline_marks: list[InlineMark] = [
            each for plugin in self.plugins for each in plugin.inline_marks
        ]
        self.listeners: list[Listener] = [
            each for plugin in self.plugins for each in plugin.listeners
        ]
        self.themes: Mapping[str, Theme] = self._index_themes()
        self._require_free_paths()

    @property
    def setting_names(self) -> list[str]:
        """The names of the settings of all plugins."""
        return [name for plugin in self.plugins for name in plugin.setting_names]

    @property
    def locales(self) -> list[Path]:
        """The folders with translations of plugins."""
        return list(dict.fromkeys(each.locale for each in self.plugins if each.locale))

    @property
    def stylesheets(self) -> dict[str, Path]:
        """The style sheets of plugins, by the names of the plugins."""
        return {each.name: each.css for each in self.plugins if each.css}

    def theme_error(self, theme: Theme, reason: str) -> StartupError:
        """Return an error that names the plugin of a theme, its file, and the theme's line."""
        for plugin in reversed(self.plugins):  # a later one may have replaced one of ours
            if line := plugin.themes.get(theme):
                return plugin.error(reason, line=line)
        return StartupError(reason)  # paper, if the plugin that has it was left out

    def _index(self, items: Iterable[tuple[str, _Registered]], what: str) -> dict[str, _Registered]:
        index: dict[str, _Registered] = {}
        for name, item in items:
            if (other := index.get(name)) and not self._replaces(
                item.call.plugin, other.call.plugin
            ):
                reason = f"the {what}{name} exists already, in plugin {other.call.plugin}"
                raise error_at(item.call.plugin, item.call.function, reason)
            index[name] = item
        return index

    def _index_themes(self) -> dict[str, Theme]:
        themes: dict[str, Theme] = {}
        plugins: dict[str, str] = {}
        for plugin in self.plugins:
            for theme, line in plugin.themes.items():
                other = plugins.get(theme.name)
                if other and not self._replaces(plugin.name, other):
                    raise plugin.error(f"the theme {theme.name} exists already", line=line)
                themes[theme.name], plugins[theme.name] = theme, plugin.name
        return themes

    def _replaces(self, plugin: str, other: str) -> bool:
        return other in self._ours and plugin not in self._ours

    def _require_free_paths(self) -> None:
        for page in self.pages.values():
            if page.path.split("/")[1] in _OUR_PATHS:
                reason = f"the page {page.path} has a path of anonchat itself"
                raise error_at(page.call.plugin, page.call.function, reason)

    def _require_unique_names(self) -> None:
        seen: dict[str, Plugin] = {}
        for plugin in self.plugins:
            if other := seen.get(plugin.name):
                raise plugin.error(f"the name of a plugin is taken already, by {other.file}")
            seen[plugin.name] = plugin

    def _require_unique_settings(self) -> None:
        seen: dict[str, Plugin] = {}
        for plugin in self.plugins:
            for name in plugin.setting_names:
                if name.removeprefix(PREFIX).lower() in Settings.model_fields:
                    raise plugin.error(f"its setting {name} is one of anonchat itself")
                if other := seen.get(name):
                    raise plugin.error(f"its setting {name} is one of plugin {other.name}")
                seen[name] = plugin
