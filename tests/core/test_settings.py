"""Settings are validated at startup; each error names the setting in one line."""

import ast
import asyncio
import inspect
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from anonchat import Chat, Settings, StartupError, load_languages, read_settings
from anonchat.bus.client import Valkey
from anonchat.security.key_names import SPAN
from anonchat.security.secret_key import _get_or_create_in_folder
from tests.fakes import FakeClock, make_settings


@pytest.fixture
def threads_before() -> set[threading.Thread]:
    """Return the threads that run in this process before the test."""
    return {*threading.enumerate()}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "999.1.1.1"),
        ("HOST", "http://127.0.0.1"),
        ("HOST", "*"),
        ("HOST", "[::1]"),
        ("HOST", "224.0.0.1"),
        ("HOST", "255.255.255.255"),
        ("HOST", "ff02::1"),
        ("METRICS_HOST", "239.1.2.3"),
        ("BASE_URL", "http://224.0.0.1"),
        ("METRICS_HOST", "127.0.0.1:9090"),
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("PORT", "-1"),
        ("METRICS_PORT", "70000"),
        ("BASE_URL", "chat.example"),
        ("BASE_URL", "https://chat.example/../path"),
        ("BASE_URL", "https://chat.example//path"),
        ("BASE_URL", "https://chat.example/a path"),
        ("BASE_URL", "https://chat.example/path?a=b"),
        ("BASE_URL", "https://chat.example/päth"),
        ("BASE_URL", "https://чат.example/./path"),
        ("BASE_URL", "https://chat.example:99999"),
        ("BASE_URL", "https://ann@chat.example"),
        ("BASE_URL", "https://[::1"),
        ("BASE_URL", "https://:8080"),
        ("BASE_URL", "https://999.1.1.1"),
        ("BASE_URL", "https://chat.example:"),
        ("BASE_URL", "https://*.example"),
        ("BASE_URL", "https://chat .example"),
        ("BASE_URL", "https://chat..example"),
        ("BASE_URL", "https://chat.example:0"),
        ("HOST", "a..b"),
        ("DATA_DIR", "~nobody-of-that-name/data"),
        ("DATABASE_URL", "sqlite:///~nobody-of-that-name/chat.db"),
        ("DATABASE_URL", "mysql://somewhere"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///file:chat.db?uri=true"),
        ("DATABASE_URL", "sqlite:///chat.db?hush=1"),
        ("DATABASE_URL", "postgresql://ann:hush@db.example:99999/chat"),
        ("DATABASE_URL", "postgresql://ann:hush@db.example:port/chat"),
        ("BUS_URL", "carrier-pigeon://"),
        ("SECRET_KEY", "too short"),
        ("NODE_ID", "Node One!"),
        ("MESSAGE_TTL", "soon"),
        ("MESSAGE_TTL", "5s"),
        ("MESSAGE_TTL", "31d"),
        ("MESSAGE_TTL_MIN", "2d"),
        ("MESSAGE_TTL_MIN", "0s"),
        ("MESSAGE_TTL_MAX", "1h"),
        ("ROOM_TTL", "91d"),
        ("ROOM_TTL_MAX", "1d"),
        ("ROOM_TTL_MAX", "for ever"),
        ("VISITOR_TTL", "-30d"),
        ("NEW_VISITOR_TTL", "soon"),
        ("NEW_ROOM_TTL", "-1h"),
        ("NAME", "x" * 61),
        ("NAME", "two\nlines"),
        ("NAME", "\u00a0"),
        ("NAME", "\u3000 \u2003"),
        ("NAME", "\u200d"),
        ("NAME", "\u3164"),
        ("NAME", "\u0301"),
        ("NAME", "turned \u202e around"),
        ("RESERVED_NAMES", "admin\nmoderator"),
        ("ACCENT", "green"),
        ("ACCENT", "#0a6b4"),
        ("ACCENT", "#0a6b4f; } * { display: none"),
        ("LOCALE_DIR", "/nowhere"),
        ("LOCALE_DIR", "/dev/null"),
        ("LANGUAGE", "English"),
        ("LANGUAGE", "de"),
        ("LANGUAGE", "xx"),
        ("METRICS_PORT", "8080"),
        ("JANITOR_INTERVAL", "1h"),
        ("ROOMS_MAX", "0"),
        ("ROOMS_PER_VISITOR_MAX", "none"),
        ("MEMBERS_PER_ROOM_MAX", "0"),
        ("VISITORS_MAX", "-1"),
        ("SESSIONS_PER_VISITOR_MAX", "0"),
        ("POST_QUEUE_MAX", "0"),
        ("POSTS_PER_VISITOR", "often"),
        ("POSTS_PER_ROOM", "0/1m"),
        ("DELETIONS_PER_VISITOR", "all"),
        ("JOINS_PER_VISITOR", "10"),
        ("NEW_ROOMS_PER_VISITOR", "10/ten"),
        ("SIGN_INS_PER_IP", "-1/1m"),
        ("PAGE_VIEWS_PER_IP", "1/"),
        ("SOCKET_EVENTS_PER_PAGE", "1/1x"),
        ("UNCONNECTED_PAGES_MAX", "0"),
        ("API_CALLS_PER_IP", "\udcff"),
        ("DATA_DIR", "\udcff"),
        ("SECRET_KEY", "\udcff" * 16),
        ("POW_BITS", "-1"),
        ("POW_BITS", "27"),
        ("SOCKETS_PER_IP_MAX", "0"),
        ("PENDING_REQUESTS_MAX", "9"),
        ("CONNECTIONS_MAX", "9"),
        ("CONNECTIONS_PER_IP_MAX", "0"),
        ("UNREAD_MAX", "1000"),
        ("UNREAD_PER_IP_MAX", "many"),
        ("TRUSTED_PROXIES", "*"),
        ("TRUSTED_PROXIES", "10.0.0.1, banana"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("PAGE_SIZE", "1"),
        ("PAGE_SIZE", "1000"),
    ],
)
def test_invalid_setting_fails_startup_with_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert name.lower() in Settings.model_fields, "an unknown name is refused anyway"
    monkeypatch.setenv(f"ANONCHAT_{name}", value)
    with pytest.raises(StartupError) as caught:
        read_settings()
    line = str(caught.value)
    assert f"ANONCHAT_{name}" in line
    assert "hush" not in line, "a password must not be printed or logged"
    assert "\n" not in line
    assert len(line) < 160
    assert "^" not in line, "a regular expression is not readable for operators"
    assert "nput should" not in line


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("PORT", "eighty", "needs a whole number from 0 to 65535, got 'eighty'"),
        ("ROOMS_MAX", "0", "needs a whole number of at least 1, got '0'"),
        ("LANGUAGE", "de", "needs auto, en or ru, got 'de'"),
        ("LOCALE_DIR", "/nowhere", "needs a folder that exists and can be read, got '/nowhere'"),
        ("LOG_FORMAT", "xml", "needs 'text' or 'json', got 'xml'"),
        ("HOST", "999.1.1.1", "needs an address or name of this machine, got '999.1.1.1'"),
        ("SECRET_KEY", "short", "needs 16 characters or more, got 5"),
    ],
)
def test_error_states_the_expected_and_the_actual_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    monkeypatch.setenv(f"ANONCHAT_{name}", value)
    with pytest.raises(StartupError) as caught:
        read_settings()
    assert str(caught.value) == f"ANONCHAT_{name}: {line}"


@pytest.mark.parametrize("name", ["DATABASE_URL", "BUS_URL", "SECRET_KEY"])
def test_invalid_setting_that_may_hold_a_password_is_not_quoted(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"ANONCHAT_{name}", "hush")
    with pytest.raises(StartupError) as caught:
        read_settings()
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("empty", ["", " "])
@pytest.mark.parametrize("source", ["variable", "line", "file"])
def test_empty_settings_are_the_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, empty: str, source: str
) -> None:
    for name in Settings.model_fields:
        if source == "variable":
            monkeypatch.setenv(f"ANONCHAT_{name.upper()}", empty)
        elif source == "line":
            with Path(".env").open("a") as file:
                file.write(f"ANONCHAT_{name.upper()}={empty}\n")
        else:
            (tmp_path / f"anonchat_{name}").write_text(empty)
            monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_settings() == Settings()


@pytest.mark.parametrize(
    ("misspelt", "nearest"),
    [
        ("ANONCHAT_MESAGE_TTL", "ANONCHAT_MESSAGE_TTL"),
        ("ANONCHAT_MESSAGETTL", "ANONCHAT_MESSAGE_TTL"),
        ("ANONCHAT_BASEURL", "ANONCHAT_BASE_URL"),
        ("anonchat_prot", "ANONCHAT_PORT"),
    ],
)
@pytest.mark.parametrize("source", ["variable", "line", "file"])
def test_misspelt_setting_fails_startup_and_the_nearest_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, misspelt: str, nearest: str, source: str
) -> None:
    if source == "variable":
        monkeypatch.setenv(misspelt, "10m")
    elif source == "line":
        Path(".env").write_text(f"# ours\n\n{misspelt}=10m\n")
    else:
        (tmp_path / misspelt.lower()).write_text("10m")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(StartupError) as caught:
        read_settings()
    line = str(caught.value)
    assert line.lower().endswith(f"{misspelt} is not a setting; the nearest is {nearest}".lower())
    assert line.startswith(".env, line 3: ") == (source == "line")


@pytest.mark.parametrize("name", ["ANONCHAT_KITCHEN_SINK", "ANONCHAT_PORT_8080_TCP_ADDR"])
def test_unknown_setting_unlike_any_fails_startup_without_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(StartupError) as caught:
        read_settings()
    assert str(caught.value) == f"{name} is not a setting; docs/settings.md lists them"


def test_setting_name_is_accepted_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("anonchat_port", "8081")
    assert read_settings().port == 8081


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"ANONCHAT_PORT=8081\n# caf\xe9\n", ".env, line 2: needs text in UTF-8, got byte 0xe9"),
        (b"\n\nANONCHAT_PORT 8081\n", ".env, line 3: needs NAME=value"),
        (b"ANONCHAT_PORT: 8081\n", ".env, line 1: needs NAME=value"),
        (b"A=1\nANONCHAT_PORT\n", ".env, line 2: needs NAME=value"),
        (b"ANONCHAT_NODE_ID='n1\n", ".env, line 1: needs NAME=value"),
    ],
)
def test_invalid_line_of_dot_env_is_named(content: bytes, line: str) -> None:
    Path(".env").write_bytes(content)
    with pytest.raises(StartupError) as caught:
        read_settings()
    assert str(caught.value) == line


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfANONCHAT_PORT=8081", b"ANONCHAT_PORT=8081\r\n"])
def test_dot_env_with_byte_order_mark_or_crlf_is_read(content: bytes) -> None:
    Path(".env").write_bytes(content)
    assert read_settings().port == 8081


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Night Train", "Night Train"),
        (" Night Train # by Ann", "Night Train"),
        ("Night#Train", "Night#Train"),
        ("'Night # Train' # by Ann", "Night # Train"),
        ('"Night # Train"', "Night # Train"),
        ('"Night \\"Train\\""', 'Night "Train"'),
        ("Night ${TRAIN}", "Night Train"),
        ("'Night ${TRAIN}'", "Night Train"),
        ("Night $TRAIN", "Night $TRAIN"),
    ],
)
def test_value_of_dot_env_is_read_as_documented(value: str, name: str) -> None:
    Path(".env").write_text(f"TRAIN=Train\nANONCHAT_NAME={value}\n")
    assert read_settings().name == name


def test_lines_of_other_programs_in_dot_env_are_ignored() -> None:
    Path(".env").write_text("SOMETHING ELSE\nANONCHATTER=1\n")
    assert read_settings() == Settings()


def test_secret_file_that_is_not_utf_8_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "anonchat_secret_key").write_bytes(b"\xff" * 16)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(StartupError, match="anonchat_secret_key, line 1: needs text in UTF-8"):
        read_settings()


def test_empty_credentials_directory_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "")
    assert read_settings() == Settings()


def test_missing_credentials_directory_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "nowhere"))
    with pytest.raises(StartupError, match=r"^CREDENTIALS_DIRECTORY: .+$"):
        read_settings()


def test_language_setting_accepts_every_language_of_the_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for code in ("auto", *load_languages()):
        monkeypatch.setenv("ANONCHAT_LANGUAGE", code)
        assert read_settings().language == code


def test_language_setting_accepts_a_language_of_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pt_BR.po").touch()
    monkeypatch.setenv("ANONCHAT_LOCALE_DIR", str(tmp_path))
    monkeypatch.setenv("ANONCHAT_LANGUAGE", "pt-BR")
    assert read_settings().language == "pt-BR"
    monkeypatch.setenv("ANONCHAT_LANGUAGE", "de")
    with pytest.raises(StartupError, match="needs auto, en, pt-BR or ru, got 'de'"):
        read_settings()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://чат.example:8443", "https://xn--80a0bn.example:8443"),
        ("https://чат.example", "https://xn--80a0bn.example"),
        ("https://chat.example/", "https://chat.example"),
        ("HTTPS://Chat.Example:0443", "https://chat.example:443"),
        ("http://[FE80::1]", "http://[fe80::1]"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://chat.example/", "https://chat.example"),
        ("https://чат.example/a/b/", "https://xn--80a0bn.example/a/b"),
    ],
)
def test_base_url_is_normalized_as_in_browsers(given: str, expected: str) -> None:
    assert Settings(base_url=given).base_url == expected


def test_base_path_is_the_path_of_the_base_url() -> None:
    for base_url in ("", "https://chat.example", "http://[::1]:8080"):
        assert Settings(base_url=base_url).base_path == ""
    assert Settings(base_url="https://x.example/a/chat/").base_path == "/a/chat"


def test_tilde_is_expanded_to_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    settings = Settings(data_dir=Path("~/data"), database_url="sqlite:///~/chat.db")
    assert settings.data_dir == Path("/home/ann/data")
    assert settings.database_file == Path("/home/ann/chat.db")


@pytest.mark.parametrize("name", ["why?", "50%41", "a#b", "a b", "чат", "a+b"])
def test_data_folder_name_may_contain_special_characters(tmp_path: Path, name: str) -> None:
    settings = Settings(data_dir=tmp_path / name)
    file = tmp_path / name / "anonchat.db"
    assert settings.database_file == file
    assert make_url(settings.resolved_database_url).database == str(file)
    assert not make_url(settings.resolved_database_url).query


def test_startup_error_is_one_line_if_a_path_contains_a_newline(tmp_path: Path) -> None:
    (tmp_path / "two\nlines").touch()
    with pytest.raises(StartupError) as caught:
        Chat(make_settings(tmp_path / "two\nlines"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", ["?db=x", "?nothing=1", ":port", ":99999"])
def test_bus_url_with_invalid_options_fails_startup_with_one_line(options: str) -> None:
    with pytest.raises(StartupError, match=r"^ANONCHAT_BUS_URL: .+$") as caught:
        Valkey(f"redis://:hush@127.0.0.1{options}")
    assert "hush" not in str(caught.value)


def test_room_ttl_may_be_shorter_than_the_default_message_ttl(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANONCHAT_ROOM_TTL", "20s")
    assert read_settings().room_ttl == timedelta(seconds=20)


def test_environment_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANONCHAT_MESSAGE_TTL", "10m")
    assert read_settings().message_ttl == timedelta(minutes=10)


def test_dot_env_file_is_read() -> None:
    Path(".env").write_text("ANONCHAT_PORT=8081\nSOMETHING_ELSE=1\n")
    assert read_settings().port == 8081


def test_secret_is_read_from_the_credentials_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "anonchat_secret_key").write_text("sixteen letters or more\n")
    (tmp_path / "anonchat_port").write_text("8081")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("ANONCHAT_PORT", "8082")
    settings = read_settings()
    assert (settings.secret_key, settings.port) == ("sixteen letters or more", 8082)


def test_defaults_apply_without_any_setting() -> None:
    assert read_settings() == Settings()


def test_every_setting_has_a_description() -> None:
    (definition,) = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(definition, ast.ClassDef)
    bodies = zip(definition.body, definition.body[1:], strict=False)
    described = {
        statement.target.id
        for statement, following in bodies
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and isinstance(following, ast.Expr)
        and isinstance(following.value, ast.Constant)
    }
    assert described == Settings.model_fields.keys()


def test_longest_janitor_interval_purges_within_one_minute() -> None:
    with pytest.raises(ValueError, match="ANONCHAT_JANITOR_INTERVAL"):
        Settings(janitor_interval=timedelta(seconds=21))
    slowest = Settings(janitor_interval=timedelta(seconds=20)).janitor_interval
    assert SPAN + 1.5 * slowest <= timedelta(minutes=1)


def test_data_folder_that_is_a_file_fails_startup_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartupError, match=r"^ANONCHAT_DATA_DIR: .+$"):
        Chat(make_settings(tmp_path / "file"))


async def test_database_that_cannot_be_opened_fails_startup_with_one_line(
    tmp_path: Path, clock: FakeClock, threads_before: set[threading.Thread]
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/chat.db"
    chat = Chat(make_settings(tmp_path / "data", database_url=url), clock=clock)
    with pytest.raises(StartupError, match=r"^ANONCHAT_DATABASE_URL: .+$"):
        await chat.start()
    await chat.stop()
    await _wait_for_connections_to_end(threads_before)


async def test_file_that_is_not_a_database_fails_startup_with_one_line(
    tmp_path: Path, clock: FakeClock, threads_before: set[threading.Thread]
) -> None:
    chat = Chat(make_settings(tmp_path / "data"), clock=clock)
    (tmp_path / "data" / "anonchat.db").write_text("something else altogether" * 100)
    with pytest.raises(StartupError, match=r"^ANONCHAT_DATABASE_URL: .+$"):
        await chat.start()
    await chat.stop()
    await _wait_for_connections_to_end(threads_before)


def test_secret_key_is_created_once_and_readable_only_by_its_owner(tmp_path: Path) -> None:
    Chat(make_settings(tmp_path))
    created = (tmp_path / "secret.key").read_text()
    assert len(created) >= 43
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0
    Chat(make_settings(tmp_path))
    assert (tmp_path / "secret.key").read_text() == created


def test_empty_secret_key_file_left_by_a_crash_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret.key").touch()
    Chat(make_settings(tmp_path))
    assert (tmp_path / "secret.key").read_text()


def test_concurrent_first_starts_use_the_same_secret_key(tmp_path: Path) -> None:
    for folder in map(str, range(20)):
        with ThreadPoolExecutor(8) as pool:
            secrets = list(pool.map(_get_or_create_in_folder, [tmp_path / folder] * 8))
        assert len(set(secrets)) == 1
        assert (tmp_path / folder / "secret.key").read_text() == secrets[0]


def test_secret_key_that_cannot_be_written_fails_startup_with_one_line(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(StartupError, match=r"^ANONCHAT_DATA_DIR: .+$"):
            _get_or_create_in_folder(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(_get_or_create_in_folder(tmp_path)) >= 43, "a partly written key must not be used"


async def _wait_for_connections_to_end(before: set[threading.Thread]) -> None:
    """Wait until no new database connection is open. Each connection has its own thread."""
    for thread in {*threading.enumerate()} - before:
        if "_connection_worker" in thread.name:
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()
