"""Everything an operator can decide, read from `ANONCHAT_*` variables or `.env`."""

import os
import re
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from reprlib import repr as shorten
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import idna
from annotated_types import Ge, Le
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from .durations import format_duration, parse_duration
from .errors import StartError
from .rates import Rate, parse_rate
from .setting_sources import ENV_FILE, PREFIX, require_known_names

SECRET_CHARACTERS = 16
"""A secret key has so many characters at least."""

_CATALOGUES = Path(__file__).parents[1] / "pages" / "locale"
_CONFIDENTIAL = ("database_url", "bus_url", "secret_key")  # a wrong one is not quoted
_HOST_NAME = re.compile(
    r"(?!.*\.\d+$)(?!\d+$)[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?", re.IGNORECASE
)


def _read_duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _read_rate(value: object) -> object:
    return parse_rate(value) if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_read_duration)]
Frequency = Annotated[Rate, NoDecode, BeforeValidator(_read_rate)]


class Settings(BaseSettings):
    """The settings. Durations are written `90s`, `10m`, `24h`, `7d`, rates `20/10s` or `off`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=8080, ge=0, le=65_535)
    """The port to listen on."""
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """The port to tell Prometheus on; 0: none."""
    metrics_host: str = "127.0.0.1"
    """The address to tell Prometheus on."""
    base_url: str = ""
    """The address that visitors use: `https://chat.example`; read off each request if empty."""
    data_dir: Path = Path("data")
    """The folder for the database, the key store and the secret key."""
    database_url: str = ""
    """The database; a file in the data folder if empty."""
    bus_url: str = "memory://"
    """What carries events between nodes: `redis://…`; a single node needs nothing but memory."""
    secret_key: str = ""
    """The secret that wraps all keys at rest, 16 characters at least; made at first if empty, but
    the same for all nodes if there are several."""
    node_id: str = "n1"
    """The name of this process among its peers."""
    trusted_proxies: str = ""
    """Addresses, separated by commas, whose `X-Forwarded-*` headers are believed."""

    message_ttl: Duration = timedelta(hours=24)
    """How long a message lives unless its room says otherwise."""
    message_ttl_min: Duration = timedelta(seconds=10)
    """The shortest life that a room may give its messages."""
    message_ttl_max: Duration = timedelta(days=30)
    """The longest life that a room may give its messages."""
    room_ttl: Duration = timedelta(days=7)
    """How long a room lives in which nothing happens, unless it says otherwise."""
    room_ttl_max: Duration = timedelta(days=90)
    """The longest that a quiet room may ask to live."""
    visitor_ttl: Duration = timedelta(days=30)
    """How long a visitor who does not come back keeps the nickname."""
    new_visitor_ttl: Duration = timedelta(hours=24)
    """The same for a visitor who has never posted; `visitor_ttl` if that is shorter."""
    new_room_ttl: Duration = timedelta(hours=24)
    """How long a quiet room lives that nobody but its maker has entered; its own lifetime if that
    is shorter."""
    log_format: Literal["text", "json"] = "text"
    """How a line of the log is written."""
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = (
        "info"
    )
    """From which level on we log; libraries are heard from warnings on."""
    language: str = "auto"
    """The language of the screens; `auto` follows each browser."""
    janitor_interval: Duration = timedelta(seconds=15)
    """How often the janitor purges what has expired; 20 s at most, for the promise is 60 s."""

    rooms_max: int = Field(default=20_000, ge=1)
    """How many rooms there may be."""
    rooms_per_visitor_max: int = Field(default=200, ge=1)
    """How many rooms one visitor may be in."""
    members_per_room_max: int = Field(default=500, ge=1)
    """How many members a room may have."""
    visitors_max: int = Field(default=200_000, ge=1)
    """How many visitors there may be."""
    browsers_per_visitor_max: int = Field(default=10, ge=1)
    """How many browsers may hold one identity by its secret phrase; the oldest gives way."""
    waiting_posts_max: int = Field(default=2_000, ge=1)
    """How many posts may wait for the database before new ones are refused."""
    streams_per_visitor_max: int = Field(default=200, ge=1)
    """How many event streams of the API one visitor may have open."""
    stream_backlog_max: int = Field(default=524_288, ge=65_536)
    """How many bytes may wait for one reader of an event stream before it has to resume."""
    sockets_per_address_max: int = Field(default=1_000, ge=1)
    """How many sockets of screens the strangers of one address may have open, and how many its
    visitors; and how many event streams."""
    sockets_per_visitor_max: int = Field(default=100, ge=1)
    """How many sockets of screens one visitor may have open."""
    unanswered_max: int = Field(default=2_000, ge=10)
    """How many connections may be open whose request is not complete yet; the oldest give way."""
    connections_max: int = Field(default=10_000, ge=10)
    """How many connections may be open at once, and how many sockets of screens."""
    connections_per_address_max: int = Field(default=4_000, ge=10)
    """How many connections one address may have open at once."""
    unread_max: int = Field(default=268_435_456, ge=1_048_576)
    """How many bytes may wait until they are read, on all connections together."""
    unread_per_address_max: int = Field(default=33_554_432, ge=1_048_576)
    """How many bytes may wait until they are read, on all connections of one address."""
    page_size: int = Field(default=60, ge=10, le=200)
    """How many messages or public rooms are shown at once before one scrolls."""

    posts_per_visitor: Frequency = Rate(300, timedelta(minutes=1))
    """How often one visitor may post."""
    posts_per_room: Frequency = Rate(3_000, timedelta(minutes=1))
    """How often one may post in a room, all together."""
    deletions_per_visitor: Frequency = Rate(60, timedelta(minutes=1))
    """How often one visitor may delete a message, which costs more than to post one."""
    joins_per_visitor: Frequency = Rate(120, timedelta(minutes=1))
    """How often one visitor may join a room."""
    new_rooms_per_visitor: Frequency = Rate(100, timedelta(minutes=10))
    """How often one visitor may make a room."""
    arrivals_per_address: Frequency = Rate(600, timedelta(minutes=10))
    """How often one may try to come in from one address without solving a challenge."""
    events_per_screen: Frequency = Rate(600, timedelta(seconds=10))
    """How often an open page may send something over its socket before that is cut."""
    pages_waiting_max: int = Field(default=2_000, ge=10)
    """How many pages may be handed out whose browsers have not come back with a socket."""
    pages_per_address: Frequency = Rate(1_200, timedelta(minutes=1))
    """How often a page may be asked for by one visitor, or by the strangers of one address."""
    calls_per_address: Frequency = Rate(12_000, timedelta(minutes=1))
    """How often the API may be called by one visitor, or by the strangers of one address."""
    work_per_visitor: Frequency = Rate(300, timedelta(seconds=2))
    """How many milliseconds of processor time one visitor may use; what is beyond it waits."""
    work_per_network: Frequency = Rate(3_000, timedelta(seconds=10))
    """How many milliseconds of processor time one client network may use, all its visitors
    together."""
    puzzle_bits: int = Field(default=0, ge=0, le=26)
    """How hard a puzzle browsers solve before one comes in, for a site that is flooded; 0: none."""

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, given: dict[str, object]) -> dict[str, object]:
        """Let what is set but empty be the default, from whatever source it comes."""
        return {
            name: value
            for name, value in given.items()
            if not isinstance(value, str) or value.strip()
        }

    @field_validator("*", mode="before")
    @classmethod
    def _check_encoding(cls, value: object) -> object:
        if isinstance(value, str) and any("\ud800" <= each <= "\udfff" for each in value):
            raise ValueError("needs text in UTF-8")  # the system handed over other bytes
        return value

    @field_validator("host", "metrics_host")
    @classmethod
    def _check_host(cls, value: str) -> str:
        if not _is_host(value):
            raise ValueError("needs an address or name of this machine")
        return value

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
            name, port = parts.hostname or "", parts.port
            if not name.isascii():  # browsers name the origin in ASCII
                name = idna.encode(name, uts46=True).decode()
                value = f"{parts.scheme}://{name}{f':{port}' if port else ''}"
        except ValueError:
            name = ""
        if not _is_host(name) or not re.fullmatch(r"https?://[^/\s?#@\\]*[^/\s?#@\\:]", value):
            raise ValueError("needs http:// or https:// and a host, without a path") from None
        return value

    @field_validator("data_dir")
    @classmethod
    def _find_home(cls, value: Path) -> Path:
        return _expand(value)

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str) -> str:
        needs = "needs sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
        if not re.match(r"(sqlite(\+aiosqlite)?:///.|postgresql(\+asyncpg)?://.|$)", value):
            raise ValueError(needs)
        try:
            url = make_url(value or "sqlite://")
        except (ArgumentError, ValueError):  # neither of them shall be quoted: there is a password
            raise ValueError(needs) from None
        _find_file(url)
        return value

    @field_validator("bus_url")
    @classmethod
    def _check_bus(cls, value: str) -> str:
        if not re.match(r"(memory://$|(redis|rediss|valkey|valkeys|unix)://.)", value):
            raise ValueError("needs memory://, redis://HOST:PORT or unix://PATH")
        return value

    @field_validator("node_id")
    @classmethod
    def _check_node(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9-]{1,32}", value):
            raise ValueError("needs 1 to 32 of the characters a-z, 0-9 and -")
        return value

    @field_validator("language")
    @classmethod
    def _check_language(cls, value: str) -> str:
        known = ["auto", "en", *sorted(path.stem for path in _CATALOGUES.glob("*.po"))]
        if value not in known:
            raise ValueError(f"needs {', '.join(known[:-1])} or {known[-1]}")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: str) -> str:
        for address in filter(None, map(str.strip, value.split(","))):
            try:
                network = ip_network(address, strict=False)
            except ValueError:
                raise ValueError("needs addresses or networks, separated by commas") from None
            if not network.prefixlen:  # anyone could claim any address
                raise ValueError(f"needs addresses of proxies, and {address} is everybody")
        return value

    @field_validator("secret_key")
    @classmethod
    def _check_secret(cls, value: str) -> str:
        if 0 < len(value) < SECRET_CHARACTERS:
            raise ValueError(f"needs {SECRET_CHARACTERS} characters or more, got {len(value)}")
        return value

    @model_validator(mode="after")
    def _check_lifetimes(self) -> Self:
        least, given, most = map(
            format_duration, (self.message_ttl_min, self.message_ttl, self.message_ttl_max)
        )
        if not self.message_ttl_min <= self.message_ttl <= self.message_ttl_max:
            raise ValueError(
                f"ANONCHAT_MESSAGE_TTL has to lie between ANONCHAT_MESSAGE_TTL_MIN ({least}) and "
                f"ANONCHAT_MESSAGE_TTL_MAX ({most}), got {given}"
            )
        if self.room_ttl > self.room_ttl_max:
            raise ValueError(
                f"ANONCHAT_ROOM_TTL ({format_duration(self.room_ttl)}) is longer than "
                f"ANONCHAT_ROOM_TTL_MAX ({format_duration(self.room_ttl_max)})"
            )
        if self.janitor_interval > timedelta(seconds=20):
            got = format_duration(self.janitor_interval)
            raise ValueError(f"ANONCHAT_JANITOR_INTERVAL can be 20s at most, got {got}")
        return self

    @model_validator(mode="after")
    def _check_ports(self) -> Self:
        hosts = {self.host, self.metrics_host}
        if 0 < self.port == self.metrics_port and (len(hosts) == 1 or hosts & {"0.0.0.0", "::"}):
            raise ValueError(
                f"ANONCHAT_METRICS_PORT: needs another port than ANONCHAT_PORT, got {self.port}"
            )
        return self

    @model_validator(mode="after")
    def _check_peers(self) -> Self:
        if self.has_peers and not self.secret_key:
            raise ValueError("ANONCHAT_SECRET_KEY has to be set, the same for all nodes")
        if self.has_peers and not self.database_url.startswith("postgresql"):
            raise ValueError("ANONCHAT_DATABASE_URL has to be postgresql://… for several nodes")
        return self

    @property
    def has_peers(self) -> bool:
        """Whether this is one of several nodes."""
        return self.bus_url != "memory://"

    @property
    def database_location(self) -> str:
        """The URL of the database that is used, with its driver."""
        given = re.sub("^postgresql:", "postgresql+asyncpg:", self.database_url)
        if not (file := self.database_file):
            return re.sub("^sqlite:", "sqlite+aiosqlite:", given)
        own = make_url(given or "sqlite://").set(drivername="sqlite+aiosqlite", database=str(file))
        return own.render_as_string(hide_password=False)

    @property
    def database_file(self) -> Path | None:
        """The file of the database, if it is one."""
        if not self.database_url:
            return self.data_dir / "anonchat.db"
        return _find_file(make_url(self.database_url))


def read_settings(**given: str) -> Settings:
    """Read the settings from the environment, but for those that are given.

    What nobody else shall read may stand in files instead, in the folder that systemd names.
    Raises `StartError` with one clear line.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY") or None
    require_known_names([name.upper() for name in Settings.model_fields], folder)
    try:
        return Settings(_secrets_dir=folder, **given)  # type: ignore[call-arg, arg-type]
    except ValidationError as error:
        raise StartError(_explain(error.errors()[0])) from error


def _explain(error: ErrorDetails) -> str:
    """Return which setting is wrong, what it needs, and what it got."""
    reason = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:  # of several settings, which it names
        return reason
    field = str(error["loc"][0])
    match error["type"]:
        case "value_error":
            needs = reason
        case "literal_error":
            needs = f"needs {error['ctx']['expected']}"
        case _:
            needs = f"needs a whole number {_write_bounds(field)}"
    is_quoted = needs.startswith("needs") and field not in _CONFIDENTIAL
    got = f", got {shorten(error['input'])}" if is_quoted else ""
    return f"{PREFIX}{field.upper()}: {needs}{got}"


def _write_bounds(field: str) -> str:
    """Return between what bounds a number has to be."""
    metadata = Settings.model_fields[field].metadata
    least = next(each.ge for each in metadata if isinstance(each, Ge))
    most = next((each.le for each in metadata if isinstance(each, Le)), None)
    return f"of at least {least}" if most is None else f"from {least} to {most}"


def _is_host(name: str) -> bool:
    """Tell whether that is an IP address, or may be the name of a machine."""
    try:
        ip_address(name)
    except ValueError:
        return bool(_HOST_NAME.fullmatch(name))
    return True


def _expand(path: Path) -> Path:
    """Return a path with the home folder that its `~` stands for."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("needs a folder, and there is no such home folder") from None


def _find_file(url: URL) -> Path | None:
    """Return the file of a database; SQLite may keep it in memory too, or read a URI."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return None if url.database.startswith((":", "file:")) else _expand(Path(url.database))
