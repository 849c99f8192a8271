"""Types of settings: which values each may have, and how it is read from text.

A `ValueError` says what the setting needs; `read_settings` adds its name and the given value.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import idna
import regex
from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..durations import parse_duration
from ..rates import Rate, parse_rate

PREFIX = "ANONCHAT_"
"""What the names of all settings begin with, in the environment."""
ENV_FILE = Path(".env")
SECRET_KEY_MIN_CHARACTERS = 16
"""The minimum length of a secret key."""

_NAME_MAX = 60  # characters
_VISIBLE = regex.compile(r"[^\s\p{M}\p{Default_Ignorable_Code_Point}\u2800]")
_JOINERS = re.compile("[\u200c\u200d]")
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
_NODE_ID = re.compile("[a-z0-9-]{1,32}")
_COLOUR = re.compile("#([0-9a-f]{3}|[0-9a-f]{6})")
_BUS_URL = re.compile(r"memory://|(redis|rediss|valkey|valkeys|unix)://.+")


def expand_home(path: Path) -> Path:
    """Expand `~` to the home folder; raise `ValueError` if there is none."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("needs a folder, and its home folder does not exist") from None


def sqlite_file(url: URL) -> Path | None:
    """Return the file of an SQLite database, or `None` for a server."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return expand_home(Path(url.database))


def _read(parse: Callable[[str], object]) -> BeforeValidator:
    """Read a value with `parse` if it is a text."""
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


def _require(is_valid: Callable[[str], object], needs: str) -> AfterValidator:
    """Refuse a text that is not valid."""

    def check(text: str) -> str:
        if not is_valid(text):
            raise ValueError(needs)
        return text

    return AfterValidator(check)


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


def _normalize_base_url(text: str) -> str:
    if not text:
        return text
    try:
        parts = urlsplit(text)
        name, port = parts.hostname or "", parts.port
        if not name.isascii():  # browsers name the origin in ASCII
            name = idna.encode(name, uts46=True).decode()
    except ValueError:
        name, port = "", None
    if not (_BASE_URL.fullmatch(text) and _is_host(name)) or port == 0:
        raise ValueError("needs http:// or https://, a host, and at most a plain path")
    host = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _check_folder(path: Path) -> Path:
    try:
        next(path.iterdir(), None)
    except OSError:
        raise ValueError("needs a folder that exists and can be read") from None
    return path


def _check_database_url(text: str) -> str:
    needs = "needs sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
    try:
        url = make_url(text or "sqlite://")
    except (ArgumentError, ValueError):  # not quoted: it may contain a password
        raise ValueError(needs) from None
    if not _DATABASE_URL.fullmatch(text) or not 0 < (url.port or 1) < 65_536:
        raise ValueError(needs)
    sqlite_file(url)  # raises if its home folder does not exist
    return text


def _check_proxies(text: str) -> str:
    for address in filter(None, map(str.strip, text.split(","))):
        try:
            network = ip_network(address, strict=False)
        except ValueError:
            raise ValueError("needs addresses or networks, separated by commas") from None
        if not network.prefixlen:  # every client could claim any address
            raise ValueError(f"needs addresses of proxies, and {address} matches every address")
    return text


def _check_secret_key(text: str) -> str:
    if 0 < len(text) < SECRET_KEY_MIN_CHARACTERS:
        raise ValueError(f"needs {SECRET_KEY_MIN_CHARACTERS} characters or more, got {len(text)}")
    return text


Duration = Annotated[timedelta, _read(parse_duration)]
RateSetting = Annotated[Rate, NoDecode, _read(parse_rate)]
Host = Annotated[str, _require(_is_host, "needs an address or name of this machine")]
BaseUrl = Annotated[str, AfterValidator(_normalize_base_url)]
Folder = Annotated[Path, AfterValidator(expand_home)]
ExistingFolder = Annotated[Folder, AfterValidator(_check_folder)]
DatabaseUrl = Annotated[str, AfterValidator(_check_database_url)]
BusUrl = Annotated[
    str, _require(_BUS_URL.fullmatch, "needs memory://, redis://HOST:PORT or unix://PATH")
]
SecretKey = Annotated[str, AfterValidator(_check_secret_key)]
NodeId = Annotated[
    str, _require(_NODE_ID.fullmatch, "needs 1 to 32 of the characters a-z, 0-9 and -")
]
Proxies = Annotated[str, AfterValidator(_check_proxies)]
SiteName = Annotated[
    str,
    _require(
        lambda name: len(name) <= _NAME_MAX and _is_printable(name) and _VISIBLE.search(name),
        f"needs 1 to {_NAME_MAX} visible characters, without line ends",
    ),
]
Nicknames = Annotated[str, _require(_is_printable, "needs nicknames, separated by commas")]
Colour = Annotated[
    str, _read(str.lower), _require(_COLOUR.fullmatch, "needs a colour such as #0a6b4f")
]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], _read(str.lower)]
