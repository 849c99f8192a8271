"""The part of a page that changes with the path, without loading the page again."""

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from urllib.parse import unquote

from fastapi import HTTPException
from nicegui import background_tasks, ui
from nicegui.page_arguments import PageArguments, RouteMatch

from anonchat import ChatError, Cost, LimitReached

from .alert import Alert
from .component import Component, connect
from .live_list import load_lists
from .page_budget import current_budget

_PATH_CHARACTERS_MAX = 1_000

Builder = Callable[..., Awaitable[None]]
Handler = Callable[[], object]


class SubPages(ui.sub_pages, component="navigator.js", dependencies=["navigation.js"]):
    """NiceGUI's `ui.sub_pages`, with content that replaces the shown one when it is complete.

    Builders of `routes` may read before, between and after they create elements: nobody sees a half
    of it. If one fails, the browser loads the path instead, and the response says why. While one
    is built, only the newest of the other requested paths waits. `alert` shows if a limit was hit,
    and `on_show` is called with each path that is shown.

    Links to the site are followed without a load if their path is one of `routes`.
    """

    painted_tag = "div"

    def __init__(
        self,
        routes: Mapping[str, Builder],
        *,
        data: Mapping[str, object],
        alert: Alert,
        on_show: Callable[[str], object],
    ) -> None:
        self._shown: SubPage | None = None
        self._wanted: RouteMatch | None = None
        self._is_building = False
        self._alert = alert
        self._on_show = on_show
        super().__init__(dict(routes), data=dict(data))
        self._work = current_budget()

    async def load(self) -> None:
        """Build the content of the path that the browser has requested."""
        assert self._match is not None
        await self._build(self._match)

    def _show(self) -> None:
        """Build the content of the current path soon; NiceGUI calls this when it has changed."""
        path = self._router.current_path
        if not isinstance(path, str):  # a forged event
            self.has_404 = False
            return
        match = self._find_matching_path() if len(path) <= _PATH_CHARACTERS_MAX else None
        self._match = match if match and not match.remaining_path else None
        self.has_404 = self._match is None  # then NiceGUI makes the browser load the path
        if self._match is None or self._router.is_initial_request:
            return
        self._wanted = self._match
        if not self._is_building:
            self._is_building = True
            background_tasks.create(self._build_wanted(), name="sub page", context=self)

    async def _build_wanted(self) -> None:
        try:
            while self._wanted and not self.is_deleted:
                match, self._wanted = self._wanted, None
                await self._open(match)
        finally:
            self._is_building = False

    async def _open(self, match: RouteMatch) -> None:
        try:
            await self._work.spend(Cost.SUB_PAGE)
            await self._build(match)
        except LimitReached as error:
            self._alert.show_error(error)
        except (ChatError, HTTPException):
            self.client.open(match.path, new_tab=False)

    async def _build(self, match: RouteMatch) -> None:
        match.parameters = {name: unquote(value) for name, value in match.parameters.items()}
        with self:
            page = SubPage(match.path)
        self.default_slot.children.remove(page)  # not shown before it is complete
        try:
            with page:
                built = match.builder(**PageArguments.build_kwargs(match, self, self._data))
                if isawaitable(built):
                    await built
                await load_lists(page)
        except BaseException:
            self.default_slot.children.append(page)
            page.delete()
            raise
        self._alert.text = ""
        self.default_slot.children.append(page)
        if self._shown:
            self._shown.delete()
        self._shown = page
        self._on_show(match.path)
        self.update()


class SubPage(Component, component="sub_page.js", dependencies=["navigation.js"]):
    """The content of one path. Its handlers end with it, unlike those of the client."""

    painted_tag = "div"

    def __init__(self, path: str) -> None:
        super().__init__()
        self.classes("sub-page")
        self._connect_handlers: list[Handler] = []
        self._disconnect_handlers: list[Handler] = []
        self._delete_handlers: list[Handler] = []
        if self.client._response_built:  # else NiceGUI reports when the page has connected
            self._props["opened"] = path
            self.on("shown", lambda: connect(self), args=[])

    def on_connect(self, handler: Handler) -> None:
        """Call a function when this content is shown on a connected page, and at reconnections."""
        self._connect_handlers.append(handler)

    def on_disconnect(self, handler: Handler) -> None:
        """Call a function when the page has lost its connection."""
        self._disconnect_handlers.append(handler)

    def on_delete(self, handler: Handler) -> None:
        """Call a function when this content is replaced, or its page closed."""
        self._delete_handlers.append(handler)

    async def handle_connect(self) -> None:
        """Call the handlers of `on_connect`."""
        for handler in self._connect_handlers:
            self.client.safe_invoke(handler)

    async def handle_disconnect(self) -> None:
        """Call the handlers of `on_disconnect`."""
        for handler in self._disconnect_handlers:
            self.client.safe_invoke(handler)

    def _handle_delete(self) -> None:
        for handler in self._delete_handlers:
            self.client.safe_invoke(handler)
        super()._handle_delete()


def current_sub_page() -> SubPage:
    """Return the sub page that is being built."""
    element: ui.element = ui.context.slot.parent
    while not isinstance(element, SubPage):
        assert element.parent_slot
        element = element.parent_slot.parent
    return element
