"""The version of the database schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

import models


def migrate(connection: Connection) -> None:
    """Apply all migrations that are missing; raise `CommandError` if the version is unknown."""
    config = _configure()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def is_current(connection: Connection) -> bool:
    """Return whether all migrations are applied."""
    current = MigrationContext.configure(connection).get_current_heads()
    return set(current) == set(ScriptDirectory.from_config(_configure()).get_heads())


def _configure() -> Config:
    config = Config()
    migrations = Path(models.__file__).parent / "migrations"
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    return config
