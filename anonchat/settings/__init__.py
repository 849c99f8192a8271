"""The settings of an operator, read from `ANONCHAT_*` variables, `.env` or secret files."""

import re
import string
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url

from ..durations import format_duration
from ..i18n.catalogues import OUR_CATALOGUES, SOURCE_LANGUAGE, find_catalogues
from ..rates import Rate
from .types import (
    ENV_FILE,
    PREFIX,
    BaseUrl,
    BusUrl,
    Colour,
    DatabaseUrl,
    Duration,
    ExistingFolder,
    Folder,
    Host,
    LogLevel,
    Nicknames,
    NodeId,
    Proxies,
    RateSetting,
    SecretKey,
    SiteName,
    sqlite_file,
)


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

    host: Host = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=8080, ge=0, le=65_535)
    """The port to listen on."""
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """The port of the Prometheus metrics; 0: none."""
    metrics_host: Host = "127.0.0.1"
    """The address of the Prometheus metrics."""
    base_url: BaseUrl = ""
    """The URL that visitors use: `https://chat.example`, `https://x.example/chat`; taken from each
    request if empty."""
    data_dir: Folder = Path("data")
    """The folder for the database, the key store and the secret key."""
    database_url: DatabaseUrl = ""
    """The database; a file in the data folder if empty."""
    bus_url: BusUrl = "memory://"
    """The bus that carries events between nodes: `redis://…`; in memory for a single node."""
    secret_key: SecretKey = ""
    """The secret that wraps all keys at rest, at least 16 characters; generated on the first start
    if empty. Several nodes need the same one."""
    node_id: NodeId = "n1"
    """The unique name of this node."""
    trusted_proxies: Proxies = ""
    """Comma-separated addresses whose `X-Forwarded-*` headers are trusted."""
    name: SiteName = "anonchat"
    """The name of the site, in page titles and beside the logo."""
    accent: Colour = "#334fb8"
    """The accent colour (`#rrggbb`) of themes that have none; the lightness is set for contrast."""
    theme: str = "paper"
    """The theme of the pages, unless a visitor chooses another."""

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
    log_level: LogLevel = "info"
    """The lowest level to log; libraries log warnings and above."""
    reserved_names: Nicknames = (
        "admin,administrator,moderator,operator,root,support,system,"
        "админ,администратор,модератор,оператор,поддержка,система"
    )
    """Comma-separated nicknames that no new visitor may have, nor one that looks like them; `off`:
    none. The name of the site is always one of them."""
    plugins: str = ""
    """Comma-separated plugins: files, folders, modules or entry points; `-name` leaves out ours."""
    locale_dir: ExistingFolder | None = None
    """The folder of catalogues that replace sentences and add languages."""
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
    helpers_per_room_max: int = Field(default=20, ge=0)
    """The maximum number of helpers of a room."""
    bans_per_room_max: int = Field(default=500, ge=1)
    """The maximum number of bans in a room."""
    invites_per_room_max: int = Field(default=50, ge=1)
    """The maximum number of invitations to a room that can still be used."""
    invite_ttl_max: Duration = timedelta(days=30)
    """The longest lifetime of an invitation."""
    knocks_per_room_max: int = Field(default=50, ge=1)
    """The maximum number of visitors who wait for being let into a room."""
    knock_ttl: Duration = timedelta(hours=1)
    """How long a visitor waits for being let into a room, or was turned away."""
    unwanted_words_max: int = Field(default=100, ge=0)
    """The maximum number of words that a room does not want."""
    slow_mode_max: Duration = timedelta(hours=1)
    """The longest time that a room may set between two messages of a member."""
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
    commands_per_visitor: RateSetting = Rate(120, timedelta(minutes=1))
    """Commands of plugins per visitor, besides what they post."""
    actions_per_visitor: RateSetting = Rate(120, timedelta(minutes=1))
    """Actions of plugins per visitor, besides what they post."""
    searches_per_visitor: RateSetting = Rate(60, timedelta(minutes=1))
    """Searches for messages per visitor; one reads up to 5,000 messages."""
    deletions_per_visitor: RateSetting = Rate(60, timedelta(minutes=1))
    """Deleted messages per visitor; a deletion costs more than a post."""
    edits_per_visitor: RateSetting = Rate(60, timedelta(minutes=1))
    """Edited messages per visitor; an edit costs as much as a deletion."""
    reactions_per_visitor: RateSetting = Rate(240, timedelta(minutes=1))
    """Reactions that a visitor adds or removes."""
    moderation_per_visitor: RateSetting = Rate(60, timedelta(minutes=1))
    """What an owner or helper does to members: roles, mutes, removals, bans."""
    openings_per_visitor: RateSetting = Rate(60, timedelta(minutes=1))
    """Messages that a visitor opens once; the last opening costs as much as a deletion."""
    typing_per_visitor: RateSetting = Rate(60, timedelta(minutes=1))
    """Signals that a visitor is typing; a page sends one in three seconds."""
    preferences_per_visitor: RateSetting = Rate(60, timedelta(minutes=1))
    """Changes of what a visitor shows: being here, and typing."""
    exports_per_visitor: RateSetting = Rate(10, timedelta(minutes=1))
    """Files with messages that a visitor saves; one has up to 5,000 messages."""
    transcripts_per_visitor: RateSetting = Rate(3, timedelta(minutes=10))
    """Questions of a visitor for a transcript, which all who are in the room are shown."""
    joins_per_visitor: RateSetting = Rate(120, timedelta(minutes=1))
    """Joined rooms per visitor."""
    new_rooms_per_visitor: RateSetting = Rate(100, timedelta(minutes=10))
    """New rooms per visitor."""
    invites_per_visitor: RateSetting = Rate(60, timedelta(minutes=10))
    """Invitations made per visitor."""
    knocks_per_visitor: RateSetting = Rate(20, timedelta(minutes=10))
    """How often a visitor asks to come into rooms."""
    wrong_passwords_per_visitor: RateSetting = Rate(10, timedelta(minutes=10))
    """Wrong passwords of rooms per visitor."""
    wrong_passwords_per_ip: RateSetting = Rate(60, timedelta(minutes=10))
    """Wrong passwords of rooms per IP address."""
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
        """Replace empty values, or those of ASCII spaces, by the defaults, from every source."""
        return {
            name: value
            for name, value in given.items()
            if not isinstance(value, str) or value.strip(string.whitespace)
        }

    @field_validator("*", mode="before")
    @classmethod
    def _check_encoding(cls, value: object) -> object:
        if isinstance(value, str) and any("\ud800" <= each <= "\udfff" for each in value):
            raise ValueError("needs text in UTF-8")  # surrogates stand for undecodable bytes
        return value

    @field_validator("language")
    @classmethod
    def _check_language(cls, code: str, checked: ValidationInfo) -> str:
        codes = {SOURCE_LANGUAGE, *find_catalogues(OUR_CATALOGUES)}
        if folder := checked.data.get("locale_dir"):
            codes.update(find_catalogues(folder))
        known = ["auto", *sorted(codes)]
        if code not in known:
            raise ValueError(f"needs {', '.join(known[:-1])} or {known[-1]}")
        return code

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
        return sqlite_file(make_url(self.database_url))
