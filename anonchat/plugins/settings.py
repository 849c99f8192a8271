"""The settings of plugins."""

from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ..setting_types import ENV_FILE, PREFIX
from ..settings import Settings
from .errors import PluginError


class PluginSettings(BaseSettings):
    """Base class of the settings of a plugin, read from `ANONCHAT_<PLUGIN>_<FIELD>`, or `.env`.

    They are checked at start: a wrong value stops it with one line.

    >>> class Dice(PluginSettings):  # ANONCHAT_DICE_SIDES
    ...     sides: int = 6
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )


def setting_prefix(plugin: str) -> str:
    """Return what the names of a plugin's settings begin with."""
    return f"{PREFIX}{plugin.upper().replace('-', '_')}_"


def list_setting_names(plugin: str, kind: type[PluginSettings]) -> list[str]:
    """Return the names of a plugin's settings. Raises `PluginError` if one is a setting of ours."""
    names = [f"{setting_prefix(plugin)}{field.upper()}" for field in kind.model_fields]
    for name in names:
        if name.removeprefix(PREFIX).lower() in Settings.model_fields:
            raise PluginError(plugin, f"its setting {name} is one of anonchat itself")
    return names


def read_plugin_settings(plugin: str, kind: type[PluginSettings]) -> PluginSettings:
    """Read the settings of a plugin. Raises `PluginError` with the name of the wrong one."""
    prefix = setting_prefix(plugin)
    arguments: dict[str, Any] = {"_env_prefix": prefix}
    try:
        return kind(**arguments)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0]).upper() if first["loc"] else ""
        name = field if field.startswith(prefix) else f"{prefix}{field}"
        raise PluginError(plugin, f"{name}: {first['msg']}, got {first['input']!r}") from error
