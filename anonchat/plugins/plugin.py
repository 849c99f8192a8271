"""`Plugin`: what a plugin's file creates, and adds to with decorators."""

import inspect
import logging
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import regex

from ..durations import parse_duration
from ..entities import Message, Room
from ..i18n.languages import Language
from ..runtime.scheduling import JobTrigger
from .arguments import Arguments, read_arguments
from .entities import EVENTS, Draft, Member, Visitor
from .errors import PluginError, error_at
from .facade import Chat
from .injection import Injected, inject, inject_all, name_of
from .registrations import (
    NAME,
    Action,
    Command,
    Filter,
    InlineMark,
    Job,
    Listener,
    Page,
    Panel,
    Renderer,
    Where,
    Who,
)
from .room_state import RoomState
from .settings import PluginSettings, setting_name
from .themes import Theme

if TYPE_CHECKING:
    from fastapi import APIRouter

_Function = TypeVar("_Function", bound=Callable[..., Any])

_IN_ROOM = (Chat, Room, Member, Visitor, RoomState, Language)
_EVENT_PARTS = (Room, Message, Member, RoomState)
_log = logging.getLogger(__name__)


class Plugin:
    """A plugin. Its decorators leave the decorated functions as they are.

    Parameters of a function are filled in by their types: `Chat`, `Room`, `Member`, `Visitor`,
    `Message`, `Draft`, `RoomState`, `Language`, an event, or the class of the settings. Functions
    may be `async` or not. Everything raises `PluginError` for what cannot work.

    >>> plugin = Plugin("greeting")
    >>> @plugin.command()
    ... def hello(member: Member, name: str = "all") -> str:
    ...     '''Greet somebody.'''
    ...     return f"{member.nickname} greets {name}"
    """

    def __init__(
        self, name: str, *, settings: type[PluginSettings] | None = None, css: str = ""
    ) -> None:
        """Create a plugin.

        `name` has letters, digits, `-` and `_`. `settings` is the class of its settings, `css` a
        style sheet for what its functions draw. Files are relative to the plugin's file; the folder
        `locale` beside it holds translations.
        """
        file, self.line = _find_caller()
        self.file = Path(file)
        self.name = name
        if not NAME.fullmatch(name):
            raise self.error("the name of a plugin is like dice or word-filter")
        self.settings_class = settings
        self.css = self.file.parent / css if css else None
        if self.css and not self.css.is_file():
            raise self.error(f"there is no file {self.css}")
        self.commands: list[Command] = []
        self.filters: list[Filter] = []
        self.renderers: list[Renderer] = []
        self.inline_marks: list[InlineMark] = []
        self.panels: list[Panel] = []
        self.actions: list[Action] = []
        self.pages: list[Page] = []
        self.listeners: list[Listener] = []
        self.jobs: list[Job] = []
        self.themes: dict[Theme, int] = {}
        """The themes, each with the line where it was added."""
        self._chat: Chat | None = None

    @property
    def chat(self) -> Chat:
        """The chat, once it has started; for the functions of `router`."""
        if self._chat is None:
            raise RuntimeError(f"plugin {self.name}: the chat has not started yet")
        return self._chat

    def error(self, reason: str, *, line: int = 0) -> PluginError:
        """Return an error that names the plugin's file, and a line: that of `Plugin(…)` if 0."""
        return PluginError(self.name, reason, file=str(self.file), line=line or self.line)

    def attach(self, chat: Chat) -> None:
        """Set the chat; called at the start."""
        self._chat = chat

    @cached_property
    def router(self) -> "APIRouter":
        """A FastAPI router, served under `/plugins/<name>`: webhooks come in there."""
        from fastapi import APIRouter

        return APIRouter()

    @property
    def is_ours(self) -> bool:
        """Whether it comes with anonchat."""
        return self.file.parent == Path(__file__).parent / "builtin"

    @property
    def has_routes(self) -> bool:
        """Whether `router` was used."""
        return "router" in self.__dict__

    @property
    def setting_names(self) -> list[str]:
        """The names of the settings, such as `ANONCHAT_DICE_SIDES`."""
        fields = self.settings_class.model_fields if self.settings_class else ()
        return [setting_name(self.name, field) for field in fields]

    @property
    def locale(self) -> Path | None:
        """The folder of translations, if there is one."""
        folder = self.file.parent / "locale"
        return folder if folder.is_dir() else None

    def command(
        self, name: str = "", *, who: Who = "members", cooldown: str = ""
    ) -> Callable[[_Function], _Function]:
        """Add a command: `/name`, the name of the function if empty.

        Parameters that are not injected are its arguments, checked by pydantic: words, of which
        `"quoted ones"` are one word; a `str` at the end takes the rest of the line. The docstring
        is its help. It returns `None`, a text for the caller alone, or a `Post` that the caller
        says. `who` may use it: `members`, `helpers` or `owner`. `cooldown` is the shortest time
        between two uses by one person in a room, over all nodes, such as `3s`; midnight in UTC ends
        it.
        """

        self._require_arguments("command", name)

        def add(function: _Function) -> _Function:
            command = name or name_of(function)
            self._check_name(function, command, "command")
            if who not in ("members", "helpers", "owner"):
                raise error_at(self.name, function, f"who is members, helpers or owner, not {who}")
            call = self._inject(function, _IN_ROOM, what=f"command /{command}", only=False)
            try:
                pause = parse_duration(cooldown) if cooldown else None
                arguments: Arguments = read_arguments(call.arguments)
            except ValueError as error:
                raise error_at(self.name, function, f"command /{command}: {error}") from error
            help = (inspect.getdoc(function) or "").partition("\n")[0]
            self.commands.append(Command(command, who, pause, help, arguments, call))
            return function

        return add

    def filter(self, function: _Function | None = None) -> _Function:
        """Add a filter, without parentheses: it is given each `Draft` before it is posted.

        It returns the draft, or another one; `None` leaves it as it is. It may call `draft.warn`,
        or raise `Refused`. If it fails or takes more than a second, nothing is posted.
        """
        if function is None:
            _, line = _find_caller()
            raise self.error("write @plugin.filter, without parentheses", line=line)
        call = self._inject(function, (Draft, *_IN_ROOM), what=f"filter {name_of(function)}")
        if not call.wants(Draft):
            raise error_at(self.name, function, "a filter needs a parameter of the type Draft")
        self.filters.append(Filter(call))
        return function

    def renderer(self, kind: str) -> Callable[[_Function], _Function]:
        """Add the function that draws messages of a `kind`, once for all readers.

        It is given the `Message` and returns an element of htpy or a text. It must depend on
        nothing else.
        """

        self._require_arguments("renderer", kind)

        def add(function: _Function) -> _Function:
            self._check_name(function, kind, "kind of message")
            call = self._inject(function, (Message,), what=f"renderer of {kind}")
            self._require_sync(function, f"renderer of {kind}")
            self.renderers.append(Renderer(kind, call))
            return function

        return add

    def inline(self, pattern: str) -> Callable[[_Function], _Function]:
        """Add a function that draws what a regular expression finds in ordinary messages.

        It is given the match and returns an element of htpy or a text.
        """

        self._require_arguments("inline", pattern)

        def add(function: _Function) -> _Function:
            what = f"inline mark {name_of(function)}"
            try:
                compiled = regex.compile(pattern)
            except regex.error as error:
                reason = f"{what}: not a regular expression: {error}"
                raise error_at(self.name, function, reason) from error
            call = self._inject(function, (), what=what, only=False)
            self._require_sync(function, what)
            if len(call.arguments) != 1:
                raise error_at(self.name, function, f"the {what} needs one parameter: the match")
            self.inline_marks.append(InlineMark(compiled, call.arguments[0].name, call))
            return function

        return add

    def panel(self, title: str, *, icon: str = "") -> Callable[[_Function], _Function]:
        """Add a tab beside the members of a room, filled by NiceGUI elements when it is opened.

        docs/plugins.md lists the icons.
        """

        self._require_arguments("panel", title)

        def add(function: _Function) -> _Function:
            call = self._inject(function, _IN_ROOM, what=f"panel {title}")
            self.panels.append(Panel(self._id(function), title, icon, call))
            return function

        return add

    def action(
        self, title: str, *, icon: str = "", where: Where = "room"
    ) -> Callable[[_Function], _Function]:
        """Add a button to the header of rooms, or with `where="message"` to the menu of messages.

        What the function returns is treated like what a command returns. docs/plugins.md lists the
        icons.
        """

        self._require_arguments("action", title)

        def add(function: _Function) -> _Function:
            if where not in ("room", "message"):
                raise error_at(self.name, function, f"where is room or message, not {where}")
            available = _IN_ROOM if where == "room" else (Message, *_IN_ROOM)
            call = self._inject(function, available, what=f"action {title}")
            self.actions.append(Action(self._id(function), title, icon, where, call))
            return function

        return add

    def page(
        self, path: str, *, title: str = "", in_menu: bool = False
    ) -> Callable[[_Function], _Function]:
        """Add a page at a path such as `/about`, filled by NiceGUI elements.

        It is for everybody, or for those who have signed in if it asks for the `Visitor`. With
        `in_menu` there is a link to it.
        """

        self._require_arguments("page", path)

        def add(function: _Function) -> _Function:
            if not regex.fullmatch(r"(/[a-z0-9_-]+)+", path):
                raise error_at(self.name, function, f"a path is like /about, not {path}")
            call = self._inject(function, (Chat, Visitor, Language), what=f"page {path}")
            self.pages.append(Page(path, title or path.strip("/"), in_menu, call))
            return function

        return add

    def on(self, event: type) -> Callable[[_Function], _Function]:
        """Add a listener: it is called soon after each event of a type, on one node of several."""

        self._require_arguments("on", event)

        def add(function: _Function) -> _Function:
            if event not in EVENTS:
                names = ", ".join(each.__name__ for each in EVENTS)
                raise error_at(self.name, function, f"the events are {names}")
            parts = [part for part in _EVENT_PARTS if part in _parts_of(event)]
            what = f"listener of {event.__name__}"
            call = self._inject(function, (event, Chat, *parts), what=what)
            self.listeners.append(Listener(event, call))
            return function

        return add

    def every(self, interval: str) -> Callable[[_Function], _Function]:
        """Add a job that runs at multiples of an interval such as `10m`, on one node of several."""
        self._require_arguments("every", interval)
        return self._job(f"every {interval}", lambda: JobTrigger.every(interval))

    def cron(self, line: str) -> Callable[[_Function], _Function]:
        """Add a job by a line of cron, in UTC: `0 9 * * mon`; on one node of several."""
        self._require_arguments("cron", line)
        return self._job(f"cron {line}", lambda: JobTrigger.cron(line))

    def theme(
        self,
        name: str,
        *,
        title: str = "",
        accent: str = "",
        light: Mapping[str, str] | None = None,
        dark: Mapping[str, str] | None = None,
        font: str = "",
        radius: str = "",
        density: str = "",
        logo: str = "",
        product_name: str = "",
        headline: str = "",
        css: str = "",
    ) -> None:
        """Add a theme; docs/design.md lists the tokens of `light` and `dark`.

        `logo` and `css` are files beside that of the plugin; one that is missing is left out, with
        a warning in the log. Raises `PluginError` for an unknown token, or a contrast that is too
        low to read.
        """
        _, line = _find_caller()
        try:
            theme = Theme(
                name=name,
                title=title,
                accent=accent,
                light=light or {},
                dark=dark or {},
                font=font,
                radius=radius,
                density=density,
                logo=self._find_file(name, logo),
                product_name=product_name,
                headline=headline,
                css=self._find_file(name, css),
            )
        except ValueError as error:
            raise self.error(f"{error}", line=line) from error
        self.themes[theme] = line

    def _job(
        self, when: str, make_trigger: Callable[[], JobTrigger]
    ) -> Callable[[_Function], _Function]:
        def add(function: _Function) -> _Function:
            try:
                trigger = make_trigger()
            except ValueError as error:
                raise error_at(self.name, function, f"job {when}: {error}") from error
            call = self._inject(function, (Chat,), what=f"job {name_of(function)}")
            name = f"{self.name}.{name_of(function)}"
            self.jobs.append(Job(name, when, trigger.next_after, call))
            return function

        return add

    def _inject(
        self,
        function: Callable[..., Any],
        available: Collection[type],
        *,
        what: str,
        only: bool = True,
    ) -> Injected:
        """Read a signature; `only` is whether nothing but injected parameters is allowed."""
        types = [*available, self.settings_class] if self.settings_class else available
        read = inject_all if only else inject
        return read(self.name, function, [each for each in types if each], what=what)

    def _require_arguments(self, decorator: str, argument: object) -> None:
        """Raise `PluginError` if a decorator was written without parentheses."""
        if inspect.isfunction(argument):
            reason = f"write @plugin.{decorator}(…), with parentheses"
            raise error_at(self.name, argument, reason)

    def _require_sync(self, function: Callable[..., Any], what: str) -> None:
        if inspect.iscoroutinefunction(function):
            raise error_at(self.name, function, f"the {what} cannot be async")

    def _check_name(self, function: Callable[..., Any], name: str, what: str) -> None:
        if not NAME.fullmatch(name):
            raise error_at(self.name, function, f"{name} cannot be the name of a {what}")

    def _id(self, function: Callable[..., Any]) -> str:
        return f"{self.name}.{name_of(function)}"

    def _find_file(self, theme: str, name: str) -> Path | None:
        path = self.file.parent / name
        if not name or path.is_file():
            return path if name else None
        _log.warning("plugin %s: theme %s: there is no file %s", self.name, theme, path)
        return None


def _find_caller() -> tuple[str, int]:
    """Return file and line of the code that called the function which called this one."""
    frame = inspect.currentframe()
    assert frame and frame.f_back and frame.f_back.f_back
    caller = frame.f_back.f_back
    return caller.f_code.co_filename, caller.f_lineno


def _parts_of(event: type) -> Collection[type]:
    """Return what can be injected besides an event."""
    parts = {each for each in inspect.get_annotations(event, eval_str=True).values()}
    return {*parts, RoomState} if parts & {Room} or "room_id" in event.__annotations__ else parts
