"""What a page shows: HTML that was drawn once, with live parts in it."""

from collections.abc import Awaitable, Callable

from htpy import Node, fragment, template
from nicegui import ui
from nicegui.events import GenericEventArguments

from anonchat import WorkBudget

from .handlers import InOrder
from .part import Part

_WAITING_MOST = 5

Fields = dict[str, str]
Answer = Callable[[Fields], Awaitable[object]]


class Screen(Part, component="screen.js"):
    """One element for all of a page that does not change by itself.

    Create the live parts in it (`with screen:`), then `draw` HTML in which they have their places.
    `data_calls="name"` on a button or a form calls what `answer` was given for that name;
    `data_opens`, `data_closes`, `data_turns`, `data_copies`, `data_remembers` and `data_signs_out`
    are done by the browser alone (see screen.js).
    """

    def __init__(self, kind: str, *, budget: WorkBudget) -> None:
        super().__init__(budget)
        self.classes(kind)
        self._answers: dict[str, Answer] = {}
        self.on("call", InOrder(self._on_call, waiting_most=_WAITING_MOST))
        self.client.on_connect(self._let_go)

    def draw(self, *nodes: Node) -> None:
        """Show this; it travels with the page as HTML, not as data."""
        drawn = template(id=f"drawn-{self.html_id}")[nodes]
        ui.add_body_html("".join(drawn.iter_chunks()))  # a plain text: Markup would escape the rest

    def answer(self, name: str, handler: Answer) -> None:
        """Call `handler` when a button or form of that name is used, with the form's fields."""
        self._answers[name] = handler

    def say(self, name: str, text: str) -> None:
        """Say something in the alert of that name; sending its form again clears it."""
        self.run_method("say", name, text)

    def refuse(self, name: str, reason: str) -> None:
        """Say beside the field of that name what is wrong with it, and go there."""
        self.run_method("refuse", name, reason)

    def fill(self, name: str, text: str) -> None:
        """Write into the field of that name."""
        self.run_method("fill", name, text)

    def replace(self, place: str, *nodes: Node) -> None:
        """Show this instead of the element with that id."""
        self.run_method("replace", place, str(fragment[nodes]))

    async def _on_call(self, arguments: GenericEventArguments) -> None:
        call = arguments.args if isinstance(arguments.args, dict) else {}
        fields = call.get("fields")
        answer = self._answers.get(str(call.get("name")))
        if answer and isinstance(fields, dict):
            await answer({name: text for name, text in fields.items() if isinstance(text, str)})

    def _let_go(self) -> None:
        """Forget what was drawn: the browser has it, and here it would outlive its end."""
        self.client._body_html = ""
