"""The migrations make the very tables that the rows describe."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect

import models
from anonchat import StartError
from anonchat.database import Database
from models import SQLModel


async def test_migrating_an_empty_file_makes_what_the_models_describe(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    await _migrate(path)
    with _look_into(path) as connection:
        assert _differences(connection) == []
        assert set(inspect(connection).get_table_names()) == {
            *SQLModel.metadata.tables,
            "alembic_version",
        }


async def test_the_constraints_have_the_names_that_the_models_give_them(tmp_path: Path) -> None:
    await _migrate(tmp_path / "migrated.db")
    engine = create_engine(f"sqlite:///{tmp_path}/created.db")
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    with (
        _look_into(tmp_path / "migrated.db") as migrated,
        _look_into(tmp_path / "created.db") as created,
    ):
        assert _constraints(migrated) == _constraints(created)


async def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    await _migrate(path)
    before = path.read_bytes()
    await _migrate(path)
    assert path.read_bytes() == before


async def test_a_migration_that_fails_leaves_nothing_half_done(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    _execute(path, "CREATE TABLE token (in_the_way)")
    with pytest.raises(StartError, match="token already exists"):
        await _migrate(path)
    _execute(path, "DROP TABLE token")
    await _migrate(path)
    with _look_into(path) as connection:
        assert _differences(connection) == []


async def test_a_database_in_which_two_have_posted_with_one_dedup_id_is_migrated(
    tmp_path: Path,
) -> None:
    path = tmp_path / "chat.db"
    _make_as_it_was_first(path)
    time = "'2030-01-01 12:00:00'"
    _execute(
        path,
        f"INSERT INTO room VALUES ('r', x'01', x'02', x'', 1, '', 9, 9, 2, {time}, {time}, {time})",
    )
    for number, name in enumerate(("ann", "bob"), 1):
        key = f"x'0{number}'"
        _execute(
            path, f"INSERT INTO visitor VALUES ('{name}', {key}, {key}, NULL, x'', {time}, {time})"
        )
        _execute(
            path,
            f"INSERT INTO message VALUES ('m{number}', 'r', '{name}', {number}, '', x'aa', x'', "
            f"{time}, {time})",
        )
    await _migrate(path)
    with _look_into(path) as connection:
        assert _differences(connection) == []
        assert len(connection.exec_driver_sql("SELECT DISTINCT dedup_key FROM message").all()) == 2


def _make_as_it_was_first(path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(models.__file__).parent / "migrations"))
    with create_engine(f"sqlite:///{path}").begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")


async def _migrate(path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{path}")
    try:
        await database.open()
    finally:
        await database.close()


def _execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def _look_into(path: Path) -> Connection:
    return create_engine(f"sqlite:///{path}").connect()


def _differences(connection: Connection) -> object:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return compare_metadata(context, SQLModel.metadata)


def _constraints(connection: Connection) -> set[tuple[str, str]]:
    look = inspect(connection)
    return {
        (table, str(constraint["name"]))
        for table in SQLModel.metadata.tables
        for constraint in (
            look.get_pk_constraint(table),
            *look.get_unique_constraints(table),
            *look.get_foreign_keys(table),
            *look.get_indexes(table),
        )
    }
