"""The settings of plugins."""

import os
from reprlib import repr as shorten
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from ..settings.types import ENV_FILE, PREFIX
from .errors import PluginError


class PluginSettings(BaseSettings):
    """Base class of the settings of a plugin, read from `ANONCHAT_<PLUGIN>_<FIELD>`, or `.env`.

    They are checked at start: a wrong value stops it with one line. Values of the types
    `SecretStr` and `SecretBytes` are not quoted there.

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


def setting_name(plugin: str, field: str) -> str:
    """Return the name of the setting of a field: `ANONCHAT_DICE_SIDES`."""
    return f"{setting_prefix(plugin)}{field.upper()}"


def read_plugin_settings(plugin: str, kind: type[PluginSettings]) -> PluginSettings:
    """Read the settings of a plugin. Raises `PluginError` with the name of the wrong one."""
    arguments: dict[str, Any] = {
        "_env_prefix": setting_prefix(plugin),
        "_secrets_dir": os.environ.get("CREDENTIALS_DIRECTORY") or None,
    }
    try:
        return kind(**arguments)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise PluginError(plugin, _describe(plugin, kind, first)) from error
    except SettingsError as error:  # not the JSON that lists and the like are written in
        fields = (field for field in kind.model_fields if f'"{field}"' in str(error))
        name = setting_name(plugin, next(fields, "*"))
        reason = f'{name} is not JSON, which a list or a dict needs, such as ["a", "b"]'
        raise PluginError(plugin, reason) from error


def _describe(plugin: str, kind: type[PluginSettings], error: ErrorDetails) -> str:
    field = str(error["loc"][0]) if error["loc"] else ""
    name = setting_name(plugin, field) if field else f"{setting_prefix(plugin)}*"
    if error["type"] == "missing":
        return f"{name}: needs a value"
    given = kind.model_fields.get(field)
    is_secret = given is None or "Secret" in str(given.annotation)
    got = "" if is_secret else f", got {shorten(error['input'])}"
    return f"{name}: {error['msg']}{got}"
