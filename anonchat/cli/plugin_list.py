"""Lists the loaded plugins, and what each of them adds."""

from typing import Any

from ..i18n.languages import load_languages
from ..plugins.commands import usage_of
from ..plugins.injection import name_of
from ..plugins.loading import load_plugins
from ..plugins.plugin import Plugin
from ..plugins.registry import PluginRegistry
from ..plugins.settings import setting_name
from ..plugins.themes import load_themes
from ..settings import Settings
from ..settings.sources import require_known_settings


def load_registry(settings: Settings) -> PluginRegistry:
    """Load the plugins as a start does. Raises `StartupError`."""
    registry = PluginRegistry(load_plugins(settings.plugins))
    require_known_settings(registry.setting_names)
    load_themes(
        registry.themes.values(),
        chosen=settings.theme,
        accent=settings.accent,
        make_error=registry.theme_error,
    )
    load_languages(registry.locales, settings.locale_dir)
    return registry


def list_plugins(settings: Settings) -> list[dict[str, Any]]:
    """Return the plugins in order of loading, with what they add, as JSON. Raises `StartupError`.

    Values of secret settings are not shown.
    """
    registry = load_registry(settings)
    return [_describe(plugin, registry) for plugin in registry.plugins]


def _describe(plugin: Plugin, registry: PluginRegistry) -> dict[str, Any]:
    settings = registry.settings.get(plugin.name)
    values = settings.model_dump(mode="json") if settings else {}
    return {
        "name": plugin.name,
        "file": str(plugin.file),
        "commands": [
            {"usage": usage_of(each), "who": each.who, "help": each.help}
            for each in plugin.commands
        ],
        "filters": [name_of(each.call.function) for each in plugin.filters],
        "kinds": [each.kind for each in plugin.renderers],
        "inline": [each.pattern.pattern for each in plugin.inline_marks],
        "panels": [each.title for each in plugin.panels],
        "actions": [f"{each.title} ({each.where})" for each in plugin.actions],
        "pages": [each.path for each in plugin.pages],
        "listeners": [each.event.__name__ for each in plugin.listeners],
        "jobs": [f"{name_of(each.call.function)} ({each.when})" for each in plugin.jobs],
        "themes": [each.name for each in plugin.themes],
        "routes": [f"/plugins/{plugin.name}"] if plugin.has_routes else [],
        "settings": {setting_name(plugin.name, field): value for field, value in values.items()},
    }
