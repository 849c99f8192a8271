"""Migrations create exactly the tables that the models describe."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect

import models
from anonchat import StartupError
from anonchat.storage.database import Database
from models import SQLModel
from tests.servers.postgres import PostgresPool

_OLD_STATS = "UPDATE ledger SET messages = 3, rooms = 1, visitors = 5000000000"
_NEW_STATS = "SELECT messages, rooms, visitors FROM purge_stats"


async def test_migration_of_an_empty_file_creates_the_tables_of_the_models(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    await _migrate(path)
    with _connect(path) as connection:
        assert _differences(connection) == []
        assert set(inspect(connection).get_table_names()) == {
            *SQLModel.metadata.tables,
            "alembic_version",
        }


async def test_migrated_constraints_have_the_names_of_the_models(tmp_path: Path) -> None:
    await _migrate(tmp_path / "migrated.db")
    engine = create_engine(f"sqlite:///{tmp_path}/created.db")
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    with (
        _connect(tmp_path / "migrated.db") as migrated,
        _connect(tmp_path / "created.db") as created,
    ):
        assert _constraints(migrated) == _constraints(created)


async def test_second_migration_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    await _migrate(path)
    before = path.read_bytes()
    await _migrate(path)
    assert path.read_bytes() == before


async def test_failed_migration_is_rolled_back(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    _execute(path, "CREATE TABLE token (in_the_way)")
    with pytest.raises(StartupError, match="token already exists"):
        await _migrate(path)
    _execute(path, "DROP TABLE token")
    await _migrate(path)
    with _connect(path) as connection:
        assert _differences(connection) == []


async def test_database_with_one_dedup_id_of_two_visitors_is_migrated(
    tmp_path: Path,
) -> None:
    path = tmp_path / "chat.db"
    _create_revision(path, "0001")
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
    with _connect(path) as connection:
        assert _differences(connection) == []
        assert len(connection.exec_driver_sql("SELECT DISTINCT dedup_key FROM message").all()) == 2


async def test_purge_stats_survive_the_renaming_of_their_table(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    _create_revision(path, "0009")
    _execute(path, _OLD_STATS)
    await _migrate(path)
    with _connect(path) as connection:
        assert [*map(tuple, connection.exec_driver_sql(_NEW_STATS))] == [(3, 1, 5_000_000_000)]


async def test_purge_stats_survive_the_renaming_of_their_table_in_postgresql(
    postgres: PostgresPool,
) -> None:
    url = postgres.take(fresh=True)
    database = Database(url)
    async with database.migration() as connection:
        await connection.run_sync(_upgrade, "0009")
        await connection.exec_driver_sql(_OLD_STATS)
        await connection.run_sync(_upgrade, "head")
        assert [*map(tuple, await connection.exec_driver_sql(_NEW_STATS))] == [
            (3, 1, 5_000_000_000)
        ]
        assert await connection.run_sync(_differences) == []
        key = await connection.run_sync(lambda each: inspect(each).get_pk_constraint("purge_stats"))
        assert key["name"] == "pk_purge_stats"
    await database.close()
    postgres.release(url)


def _create_revision(path: Path, revision: str) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        _upgrade(connection, revision)
    engine.dispose()


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(models.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


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


def _connect(path: Path) -> Connection:
    return create_engine(f"sqlite:///{path}").connect()


def _differences(connection: Connection) -> object:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return compare_metadata(context, SQLModel.metadata)


def _constraints(connection: Connection) -> set[tuple[str, str]]:
    inspector = inspect(connection)
    return {
        (table, str(constraint["name"]))
        for table in SQLModel.metadata.tables
        for constraint in (
            inspector.get_pk_constraint(table),
            *inspector.get_unique_constraints(table),
            *inspector.get_foreign_keys(table),
            *inspector.get_indexes(table),
        )
    }
