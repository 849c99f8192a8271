"""What a plugin adds to the chat: one value for each use of a decorator."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import regex

from .arguments import Arguments
from .entities import Visitor
from .injection import Injected

Who = Literal["members", "helpers", "owner"]
Where = Literal["room", "message"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command: `/name` and its arguments. `cooldown` is the shortest time between two uses."""

    name: str
    who: Who
    cooldown: timedelta | None
    help: str
    arguments: Arguments
    call: Injected


@dataclass(frozen=True, slots=True)
class Filter:
    """Checks or changes what is posted."""

    call: Injected


@dataclass(frozen=True, slots=True)
class Renderer:
    """Draws the messages of one kind."""

    kind: str
    call: Injected


@dataclass(frozen=True, slots=True)
class InlineMark:
    """Draws what a pattern finds in ordinary messages; `parameter` receives the match."""

    pattern: "regex.Pattern[str]"
    parameter: str
    call: Injected


@dataclass(frozen=True, slots=True)
class Panel:
    """Fills a tab beside the members of a room."""

    id: str
    title: str
    icon: str
    call: Injected


@dataclass(frozen=True, slots=True)
class Action:
    """A button in the header of a room, or an item in the menu of a message."""

    id: str
    title: str
    icon: str
    where: Where
    call: Injected


@dataclass(frozen=True, slots=True)
class Page:
    """A page of its own."""

    path: str
    title: str
    in_menu: bool
    call: Injected

    @property
    def needs_visitor(self) -> bool:
        """Whether it is for those who have signed in only."""
        return self.call.requires(Visitor)

    @property
    def wants_visitor(self) -> bool:
        """Whether it is given the visitor, if they have signed in."""
        return self.call.wants(Visitor)


@dataclass(frozen=True, slots=True)
class Listener:
    """Is called with each event of one type, on one node of several."""

    event: type
    call: Injected


@dataclass(frozen=True, slots=True)
class Job:
    """Runs at the times that `next_after` gives, on one node of several."""

    name: str
    when: str
    next_after: Callable[[datetime], datetime]
    call: Injected


NAME = re.compile("[a-z][a-z0-9_-]{0,31}")
"""The name of a plugin, command, theme or kind of message."""
