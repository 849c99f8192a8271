"""Buttons."""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import helpers, ui
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import ClickEventArguments, GenericEventArguments, Handler

from .handlers import QueueHandler


class Button(TextElement):
    """A button; `kind` is "", "quiet" or "danger".

    It is busy while `on_click` runs, and further clicks are ignored, so a double click neither acts
    twice nor opens two dialogs.
    """

    def __init__(
        self,
        text: str = "",
        *,
        kind: str = "",
        on_click: Handler[ClickEventArguments] | None = None,
    ) -> None:
        super().__init__(tag="button", text=text)
        self.props["type"] = "button"
        self.classes(f"button {kind}")
        if on_click:
            self.on("click", QueueHandler(_make_handler(on_click), queue_max=0), args=[])


class IconButton(Button):
    """A button that shows an icon of theme.css; `label` is its accessible name and tooltip."""

    def __init__(
        self, icon: str, label: str, *, on_click: Handler[ClickEventArguments] | None = None
    ) -> None:
        super().__init__(kind=f"icon-only quiet icon-{icon}", on_click=on_click)
        self.props.update({"aria-label": label, "title": label})


class LinkButton(Button):
    """A button that looks like a link; `current` marks the selected one of a group."""

    def __init__(
        self,
        text: str,
        *,
        current: bool = False,
        on_click: Handler[ClickEventArguments] | None = None,
    ) -> None:
        super().__init__(text, on_click=on_click)
        self.classes(replace="link")
        if current:
            self.props["aria-current"] = "true"


def _make_handler(
    on_click: Callable[..., Any],
) -> Callable[[GenericEventArguments], Awaitable[None]]:
    async def handle(arguments: GenericEventArguments) -> None:
        event = ClickEventArguments(sender=arguments.sender, client=arguments.client)
        result = on_click(event) if helpers.expects_arguments(on_click) else on_click()
        if helpers.should_await(result):
            await _run_busy(arguments.sender, result)

    return handle


async def _run_busy(button: ui.element, work: Awaitable[object]) -> None:
    button.props["aria-busy"] = True
    try:
        await work
    finally:
        if not button.is_deleted:
            button.props["aria-busy"] = False
