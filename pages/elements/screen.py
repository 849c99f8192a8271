"""The content of a page: static HTML with live elements in it."""

from collections.abc import Awaitable, Callable

from htpy import Node, fragment, template
from nicegui import ui
from nicegui.events import GenericEventArguments

from anonchat import ChatError, WorkBudget

from ..i18n.language import Language
from .component import Component
from .handlers import QueueHandler

_QUEUE_MAX = 5

Fields = dict[str, str]
CallHandler = Callable[[Fields], Awaitable[object]]


class Screen(Component, component="screen.js"):
    """One element for all static HTML of a page.

    Create the live elements in it (`with screen:`), then `draw` HTML that contains them.
    `data_calls="name"` on a button or a form calls the handler that `on_call` registered by that
    name. An error that it raises is shown in the alert of that name, or in the first one of the
    form. A submitted form can be submitted again once an alert has been shown in it. The browser
    alone handles `data_opens`, `data_closes`, `data_turns`, `data_copies`, `data_remembers` and
    `data_signs_out` (see screen.js).
    """

    def __init__(self, kind: str, *, budget: WorkBudget, language: Language) -> None:
        super().__init__(budget)
        self._language = language
        self.classes(f"screen {kind}")
        self._handlers: dict[str, CallHandler] = {}
        self.on("call", QueueHandler(self._on_call, queue_max=_QUEUE_MAX))
        self.client.on_connect(self._release_html)

    def draw(self, *nodes: Node) -> None:
        """Set the content; it is sent as part of the page's HTML, not as element data."""
        drawn = template(id=f"drawn-{self.html_id}")[nodes]
        ui.add_body_html("".join(drawn.iter_chunks()))  # a plain str: Markup would escape the rest

    def on_call(self, name: str, handler: CallHandler) -> None:
        """Call `handler` with the form's fields when the button or form of that name is used."""
        self._handlers[name] = handler

    def show_alert(self, name: str, text: str) -> None:
        """Show a text in the alert of that name; submitting its form again clears it."""
        self.run_method("showAlert", name, text)

    def show_field_error(self, name: str, reason: str) -> None:
        """Show the error of the field of that name and focus the field."""
        self.run_method("reject", name, reason)

    def replace(self, element_id: str, *nodes: Node) -> None:
        """Replace the element with that id by this HTML."""
        self.run_method("replace", element_id, str(fragment[nodes]))

    async def _on_call(self, arguments: GenericEventArguments) -> None:
        call = arguments.args if isinstance(arguments.args, dict) else {}
        name, fields = str(call.get("name")), call.get("fields")
        handler = self._handlers.get(name)
        if handler is None or not isinstance(fields, dict):
            return
        try:
            await handler({name: text for name, text in fields.items() if isinstance(text, str)})
        except ChatError as error:
            self.run_method("fail", name, self._language.explain(error))
        except Exception:
            self.run_method("fail", name, self._language("That did not work. Please try again."))
            raise

    def _release_html(self) -> None:
        """Drop the HTML, which is already sent: here it would outlive its expiry."""
        self.client._body_html = ""
