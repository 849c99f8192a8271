"""Everything an operator can decide, read from `ANONCHAT_*` variables or `.env`."""

import os
import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from .durations import format_duration, parse_duration
from .errors import StartError
from .rates import Rate, parse_rate

SECRET_CHARACTERS = 16
"""A secret key has so many characters at least."""


def _read_duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _read_rate(value: object) -> object:
    return parse_rate(value) if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_read_duration)]
Frequency = Annotated[Rate, NoDecode, BeforeValidator(_read_rate)]


class Settings(BaseSettings):
    """The settings. Durations are written `90s`, `10m`, `24h`, `7d`, rates `20/10s` or `off`."""

    model_config = SettingsConfigDict(
        env_prefix="ANONCHAT_", env_file=".env", extra="ignore", frozen=True
    )

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=8080, ge=0, le=65_535)
    """The port to listen on."""
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """The port to tell Prometheus on; 0: none."""
    metrics_host: str = "127.0.0.1"
    """The address to tell Prometheus on."""
    base_url: str = Field(default="", pattern=r"^(https?://[^/\s]+)?$")
    """The address that visitors use: `https://chat.example`; read off each request if empty."""
    data_dir: Path = Path("data")
    """The folder for the database, the key store and the secret key."""
    database_url: str = Field(
        default="", pattern=r"^(sqlite(\+aiosqlite)?:///.+|postgresql(\+asyncpg)?://.+)?$"
    )
    """The database; a file in the data folder if empty."""
    bus_url: str = Field(
        default="memory://", pattern=r"^(memory://|(redis|rediss|valkey|valkeys|unix)://.+)$"
    )
    """What carries events between nodes: `redis://…`; a single node needs nothing but memory."""
    secret_key: str = ""
    """The secret that wraps all keys at rest, 16 characters at least; made at first if empty, but
    the same for all nodes if there are several."""
    node_id: str = Field(default="n1", pattern=r"^[a-z0-9-]{1,32}$")
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
    log_format: str = Field(default="text", pattern=r"^(text|json)$")
    """How a line of the log is written."""
    log_level: str = Field(default="info", pattern=r"^(?i:debug|info|warning|error)$")
    """From which level on we log; libraries are heard from warnings on."""
    language: str = Field(default="auto", pattern=r"^(auto|[a-z]{2,3})$")
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

    @model_validator(mode="after")
    def _check_lifetimes(self) -> Self:
        if not self.message_ttl_min <= self.message_ttl <= self.message_ttl_max:
            raise ValueError(
                "ANONCHAT_MESSAGE_TTL has to lie between ANONCHAT_MESSAGE_TTL_MIN "
                f"({format_duration(self.message_ttl_min)}) and ANONCHAT_MESSAGE_TTL_MAX "
                f"({format_duration(self.message_ttl_max)})"
            )
        if self.room_ttl > self.room_ttl_max:
            raise ValueError(
                "ANONCHAT_ROOM_TTL is longer than ANONCHAT_ROOM_TTL_MAX "
                f"({format_duration(self.room_ttl_max)})"
            )
        if self.janitor_interval > timedelta(seconds=20):
            raise ValueError("ANONCHAT_JANITOR_INTERVAL can be 20s at most")
        return self

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str) -> str:
        try:
            make_url(value or "sqlite://")
        except (ArgumentError, ValueError):  # neither of them shall be quoted: there is a password
            raise ValueError("that is no address of a database") from None
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: str) -> str:
        for address in filter(None, map(str.strip, value.split(","))):
            try:
                network = ip_network(address, strict=False)
            except ValueError:
                raise ValueError(f"{address!r} is no address or network") from None
            if not network.prefixlen:
                raise ValueError(f"{address!r} is everybody: anyone could claim any address")
        return value

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if 0 < len(self.secret_key) < SECRET_CHARACTERS:
            raise ValueError(f"ANONCHAT_SECRET_KEY needs {SECRET_CHARACTERS} characters or more")
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
        """The URL of the database that is used."""
        given = re.sub("^sqlite:", "sqlite+aiosqlite:", self.database_url)
        given = re.sub("^postgresql:", "postgresql+asyncpg:", given)
        return given or f"sqlite+aiosqlite:///{self.data_dir / 'anonchat.db'}"


def read_settings(**given: str) -> Settings:
    """Read the settings from the environment, but for those that are given.

    What nobody else shall read may stand in files instead, in the folder that systemd names.
    Raises `StartError` with one clear line.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    try:
        return Settings(_secrets_dir=folder, **given)  # type: ignore[call-arg, arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        variable = "_".join(["ANONCHAT", *(str(part).upper() for part in first["loc"][:1])])
        reason = first["msg"].removeprefix("Value error, ")
        line = reason if reason.startswith("ANONCHAT_") else f"{variable}: {reason}"
        raise StartError(line) from error
