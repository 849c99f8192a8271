"""The settings of an operator, read from `ANONCHAT_*` variables, `.env` or secret files."""

import os
import re
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from reprlib import repr as shorten
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import idna
import regex
from annotated_types import Ge, Le
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from .durations import format_duration, parse_duration
from .errors import StartupError
from .rates import Rate, parse_rate
from .setting_sources import ENV_FILE, PREFIX, require_known_names

SECRET_KEY_MIN_CHARACTERS = 16
"""The minimum length of a secret key."""

_NAME_MAX = 60  # characters
_VISIBLE = regex.compile(r"[^\s\p{M}\p{Default_Ignorable_Code_Point}\u2800]")
_JOINERS = re.compile("[\u200c\u200d]")
_CATALOGUES = Path(__file__).parents[1] / "pages" / "i18n" / "locale"
_CONFIDENTIAL = ("database_url", "bus_url", "secret_key")  # invalid values are not quoted
_BROADCAST = "255.255.255.255"
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"(?!.*\.\d+$)(?!\d+$)(?!.{{254}}){_LABEL}(\.{_LABEL})*", re.IGNORECASE)
_DATABASE_URL = re.compile(
    r"|sqlite(\+aiosqlite)?:///(?!:memory:|file:)[^?]+|postgresql(\+asyncpg)?://.+", re.DOTALL
)
_BASE_URL = re.compile(
    r"https?://[^/\s?#@\\]*[^/\s?#@\\:](?:/(?!\.{1,2}(?:/|$))[\w.~-]+)*/?",
    re.ASCII | re.IGNORECASE,
)


def _read_duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _read_rate(value: object) -> object:
    return parse_rate(value) if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_read_duration)]
RateSetting = Annotated[Rate, NoDecode, BeforeValidator(_read_rate)]


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
    """The port of the Prometheus metrics; 0: none."""
    metrics_host: str = "127.0.0.1"
    """The address of the Prometheus metrics."""
    base_url: str = ""
    """The URL that visitors use: `https://chat.example`, `https://x.example/chat`; taken from each
    request if empty."""
    data_dir: Path = Path("data")
    """The folder for the database, the key store and the secret key."""
    database_url: str = ""
    """The database; a file in the data folder if empty."""
    bus_url: str = "memory://"
    """The bus that carries events between nodes: `redis://…`; in memory for a single node."""
    secret_key: str = ""
    """The secret that wraps all keys at rest, at least 16 characters; generated on the first start
    if empty. Several nodes need the same one."""
    node_id: str = "n1"
    """The unique name of this node."""
    trusted_proxies: str = ""
    """Comma-separated addresses whose `X-Forwarded-*` headers are trusted."""
    name: str = "anonchat"
    """The name of the site, in page titles and beside the logo."""
    accent: Annotated[str, BeforeValidator(_lower)] = "#334fb8"
    """The accent colour, as `#rrggbb`; each theme sets its lightness, for contrast."""

    message_ttl: Duration = timedelta(hours=24)
    """How long a message lives, unless its room has another value."""
    message_ttl_min: Duration = timedelta(seconds=10)
    """The shortest message lifetime that a room may set."""
    message_ttl_max: Duration = timedelta(days=30)
    """The longest message lifetime that a room may set."""
    room_ttl: Duration = timedelta(days=7)
    """How long a room lives without activity, unless it has another value."""
    room_ttl_max: Duration = timedelta(days=90)
    """The longest lifetime without activity that a room may set."""
    visitor_ttl: Duration = timedelta(days=30)
    """How long an absent visitor keeps the nickname."""
    new_visitor_ttl: Duration = timedelta(hours=24)
    """The same for a visitor who has never posted; at most `visitor_ttl`."""
    new_room_ttl: Duration = timedelta(hours=24)
    """How long a room without activity lives that only its creator has entered; at most its own
    lifetime."""
    log_format: Literal["text", "json"] = "text"
    """The format of log lines."""
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = (
        "info"
    )
    """The lowest level to log; libraries log warnings and above."""
    reserved_names: str = (
        "admin,administrator,moderator,operator,root,support,system,"
        "админ,администратор,модератор,оператор,поддержка,система"
    )
    """Comma-separated nicknames that no new visitor may have, nor one that looks like them; `off`:
    none. The name of the site is always one of them."""
    language: str = "auto"
    """The language of the pages; `auto` follows each browser."""
    janitor_interval: Duration = timedelta(seconds=15)
    """How often the janitor purges expired data; at most 20 s, to keep the promised 60 s."""

    rooms_max: int = Field(default=20_000, ge=1)
    """The maximum number of rooms."""
    rooms_per_visitor_max: int = Field(default=200, ge=1)
    """The maximum number of rooms that one visitor has joined."""
    members_per_room_max: int = Field(default=500, ge=1)
    """The maximum number of members of a room."""
    visitors_max: int = Field(default=200_000, ge=1)
    """The maximum number of visitors."""
    sessions_per_visitor_max: int = Field(default=10, ge=1)
    """The maximum number of sessions of one visitor; the oldest is evicted."""
    post_queue_max: int = Field(default=2_000, ge=1)
    """The maximum number of posts queued for the database; further posts are refused."""
    streams_per_visitor_max: int = Field(default=200, ge=1)
    """The maximum number of open API event streams of one visitor."""
    stream_backlog_max: int = Field(default=524_288, ge=65_536)
    """The backlog of one event stream in bytes; a subscriber with more has to resume."""
    sockets_per_ip_max: int = Field(default=1_000, ge=1)
    """The maximum number of open page sockets per IP address, counted separately for its visitors
    and for clients that are not signed in; also that of event streams."""
    sockets_per_visitor_max: int = Field(default=100, ge=1)
    """The maximum number of open page sockets of one visitor."""
    pending_requests_max: int = Field(default=2_000, ge=10)
    """The maximum number of connections with an incomplete request; the oldest is closed."""
    connections_max: int = Field(default=10_000, ge=10)
    """The maximum number of open connections, and that of open page sockets."""
    connections_per_ip_max: int = Field(default=4_000, ge=10)
    """The maximum number of open connections per IP address."""
    unread_max: int = Field(default=268_435_456, ge=1_048_576)
    """The maximum number of bytes in send buffers, on all connections together."""
    unread_per_ip_max: int = Field(default=33_554_432, ge=1_048_576)
    """The maximum number of bytes in send buffers, on all connections of one IP address."""
    page_size: int = Field(default=60, ge=10, le=200)
    """The number of messages or public rooms on one page of a list."""

    posts_per_visitor: RateSetting = Rate(300, timedelta(minutes=1))
    """Posts per visitor."""
    posts_per_room: RateSetting = Rate(3_000, timedelta(minutes=1))
    """Posts per room, by all members together."""
    deletions_per_visitor: RateSetting = Rate(60, timedelta(minutes=1))
    """Deleted messages per visitor; a deletion costs more than a post."""
    joins_per_visitor: RateSetting = Rate(120, timedelta(minutes=1))
    """Joined rooms per visitor."""
    new_rooms_per_visitor: RateSetting = Rate(100, timedelta(minutes=10))
    """New rooms per visitor."""
    sign_ins_per_ip: RateSetting = Rate(600, timedelta(minutes=10))
    """Sign-in attempts per IP address without a solved challenge."""
    socket_events_per_page: RateSetting = Rate(600, timedelta(seconds=10))
    """Socket events per open page; the socket is closed above that."""
    unconnected_pages_max: int = Field(default=2_000, ge=10)
    """The maximum number of served pages whose browser has not connected a socket yet."""
    page_views_per_ip: RateSetting = Rate(1_200, timedelta(minutes=1))
    """Page requests per visitor, or per IP address if not signed in."""
    api_calls_per_ip: RateSetting = Rate(12_000, timedelta(minutes=1))
    """API calls per visitor, or per IP address if not signed in."""
    work_per_visitor: RateSetting = Rate(300, timedelta(seconds=2))
    """Milliseconds of processor time per visitor; work above that is delayed."""
    work_per_network: RateSetting = Rate(3_000, timedelta(seconds=10))
    """Milliseconds of processor time per client network, for all its visitors together."""
    pow_bits: int = Field(default=0, ge=0, le=26)
    """The difficulty of the proof of work before signing in, against floods; 0: none."""

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, given: dict[str, object]) -> dict[str, object]:
        """Replace empty values by the defaults, from every source."""
        return {
            name: value
            for name, value in given.items()
            if not isinstance(value, str) or value.strip()
        }

    @field_validator("*", mode="before")
    @classmethod
    def _check_encoding(cls, value: object) -> object:
        if isinstance(value, str) and any("\ud800" <= each <= "\udfff" for each in value):
            raise ValueError("needs text in UTF-8")  # surrogates stand for undecodable bytes
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
        except ValueError:
            name, port = "", None
        if not (_BASE_URL.fullmatch(value) and _is_host(name)) or port == 0:
            raise ValueError("needs http:// or https://, a host, and at most a plain path")
        host = f"[{name}]" if ":" in name else name
        return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"

    @field_validator("data_dir")
    @classmethod
    def _expand_home(cls, value: Path) -> Path:
        return _expand(value)

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: str) -> str:
        needs = "needs sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
        try:
            url = make_url(value or "sqlite://")
        except (ArgumentError, ValueError):  # not quoted: it may contain a password
            raise ValueError(needs) from None
        if not _DATABASE_URL.fullmatch(value) or not 0 < (url.port or 1) < 65_536:
            raise ValueError(needs)
        _sqlite_file(url)  # raises if its home folder does not exist
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

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if len(value) > _NAME_MAX or not _is_printable(value) or not _VISIBLE.search(value):
            raise ValueError(f"needs 1 to {_NAME_MAX} visible characters, without line ends")
        return value

    @field_validator("reserved_names")
    @classmethod
    def _check_reserved_names(cls, value: str) -> str:
        if not _is_printable(value):
            raise ValueError("needs nicknames, separated by commas")
        return value

    @field_validator("accent")
    @classmethod
    def _check_accent(cls, value: str) -> str:
        if not re.fullmatch(r"#([0-9a-f]{3}|[0-9a-f]{6})", value):
            raise ValueError("needs a colour such as #0a6b4f")
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
            if not network.prefixlen:  # every client could claim any address
                raise ValueError(f"needs addresses of proxies, and {address} matches every address")
        return value

    @field_validator("secret_key")
    @classmethod
    def _check_secret_key(cls, value: str) -> str:
        if 0 < len(value) < SECRET_KEY_MIN_CHARACTERS:
            raise ValueError(
                f"needs {SECRET_KEY_MIN_CHARACTERS} characters or more, got {len(value)}"
            )
        return value

    @model_validator(mode="after")
    def _check_lifetimes(self) -> Self:
        lowest, given, highest = map(
            format_duration, (self.message_ttl_min, self.message_ttl, self.message_ttl_max)
        )
        if not self.message_ttl_min <= self.message_ttl <= self.message_ttl_max:
            raise ValueError(
                f"ANONCHAT_MESSAGE_TTL has to be between ANONCHAT_MESSAGE_TTL_MIN ({lowest}) and "
                f"ANONCHAT_MESSAGE_TTL_MAX ({highest}), got {given}"
            )
        if self.room_ttl > self.room_ttl_max:
            raise ValueError(
                f"ANONCHAT_ROOM_TTL ({format_duration(self.room_ttl)}) is longer than "
                f"ANONCHAT_ROOM_TTL_MAX ({format_duration(self.room_ttl_max)})"
            )
        if self.janitor_interval > timedelta(seconds=20):
            got = format_duration(self.janitor_interval)
            raise ValueError(f"ANONCHAT_JANITOR_INTERVAL has to be at most 20s, got {got}")
        return self

    @model_validator(mode="after")
    def _check_ports(self) -> Self:
        hosts = {self.host, self.metrics_host}
        if 0 < self.port == self.metrics_port and (len(hosts) == 1 or hosts & {"0.0.0.0", "::"}):
            raise ValueError(
                f"ANONCHAT_METRICS_PORT: needs a port other than ANONCHAT_PORT, got {self.port}"
            )
        return self

    @model_validator(mode="after")
    def _check_peers(self) -> Self:
        if self.has_peers and not self.secret_key:
            raise ValueError("ANONCHAT_SECRET_KEY has to be set to the same value on all nodes")
        if self.has_peers and not self.database_url.startswith("postgresql"):
            raise ValueError("ANONCHAT_DATABASE_URL has to be postgresql://… for several nodes")
        return self

    @property
    def reserved_nicknames(self) -> list[str]:
        """The nicknames that no new visitor may have."""
        is_off = self.reserved_names.strip().lower() == "off"
        names = [] if is_off else self.reserved_names.split(",")
        return [name.strip() for name in (*names, self.name) if name.strip()]

    @property
    def base_path(self) -> str:
        """The path of `base_url`, such as `/chat`; `""` for the root."""
        return urlsplit(self.base_url).path

    @property
    def has_peers(self) -> bool:
        """Whether this node is one of several."""
        return self.bus_url != "memory://"

    @property
    def resolved_database_url(self) -> str:
        """The URL of the database, including its driver."""
        given = re.sub("^postgresql:", "postgresql+asyncpg:", self.database_url)
        if not (file := self.database_file):
            return re.sub("^sqlite:", "sqlite+aiosqlite:", given)
        url = make_url(given or "sqlite://").set(drivername="sqlite+aiosqlite", database=str(file))
        return url.render_as_string(hide_password=False)

    @property
    def database_file(self) -> Path | None:
        """The file of the database, or `None` if it is not a file."""
        if not self.database_url:
            return self.data_dir / "anonchat.db"
        return _sqlite_file(make_url(self.database_url))


def read_settings(**given: str) -> Settings:
    """Read the settings from the environment; `given` takes precedence.

    Secrets may be files instead, in the folder `CREDENTIALS_DIRECTORY` that systemd sets.
    Raises `StartupError` with one line that names the setting.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY") or None
    require_known_names([name.upper() for name in Settings.model_fields], folder)
    try:
        return Settings(_secrets_dir=folder, **given)  # type: ignore[call-arg, arg-type]
    except ValidationError as error:
        raise StartupError(_format_error(error.errors()[0])) from error


def _format_error(error: ErrorDetails) -> str:
    """Return one line: which setting is invalid, what it needs, and what it got."""
    reason = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:  # concerns several settings, which it names
        return reason
    field = str(error["loc"][0])
    match error["type"]:
        case "value_error":
            needs = reason
        case "literal_error":
            needs = f"needs {error['ctx']['expected']}"
        case _:
            needs = f"needs a whole number {_format_bounds(field)}"
    is_quoted = needs.startswith("needs") and field not in _CONFIDENTIAL
    got = f", got {shorten(error['input'])}" if is_quoted else ""
    return f"{PREFIX}{field.upper()}: {needs}{got}"


def _format_bounds(field: str) -> str:
    """Return the bounds of a number as text."""
    metadata = Settings.model_fields[field].metadata
    lowest = next(each.ge for each in metadata if isinstance(each, Ge))
    highest = next((each.le for each in metadata if isinstance(each, Le)), None)
    return f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"


def _is_printable(text: str) -> bool:
    """Return whether a text has no control characters; joiners are part of words and emoji."""
    return _JOINERS.sub("", text).isprintable()


def _is_host(name: str) -> bool:
    """Return whether this is the IP address of one machine, or a valid host name."""
    try:
        address = ip_address(name)
    except ValueError:
        return bool(_HOST_NAME.fullmatch(name))
    return not address.is_multicast and name != _BROADCAST


def _expand(path: Path) -> Path:
    """Expand `~` to the home folder; raise `ValueError` if there is none."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("needs a folder, and its home folder does not exist") from None


def _sqlite_file(url: URL) -> Path | None:
    """Return the file of an SQLite database, or `None` for a server."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return _expand(Path(url.database))
