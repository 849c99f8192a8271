"""The few controls that screens are made of: plain HTML elements, our own look.

Values are handed over as data, never as parts of a string that something evaluates.
"""

import json
from collections.abc import Awaitable, Callable, Iterable

import regex
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import GenericEventArguments

Submit = Callable[[dict[str, str]], Awaitable[None]]

_READ_FORM = (
    "(event) => { event.preventDefault(); emit(Object.fromEntries(new FormData(event.target))); }"
)


class Tag(TextElement):
    """An HTML element with a text and attributes (`for_` and `class_` stand for `for`, `class`)."""

    def __init__(self, name: str, text: str = "", /, **attributes: str | int | bool) -> None:
        super().__init__(tag=name, text=text)
        for attribute, value in attributes.items():
            if attribute == "class_":
                self.classes(str(value))
            else:
                self._props[attribute.rstrip("_").replace("_", "-")] = value


def icon(name: str) -> Tag:
    """Draw a line icon of theme.css."""
    return Tag("i", class_=f"icon icon-{name}", aria_hidden="true")


def icon_button(name: str, label: str, *, kind: str = "quiet") -> Tag:
    """Draw a button that shows an icon and is called `label`."""
    with Tag(
        "button", type="button", class_=f"button icon-only {kind}", aria_label=label, title=label
    ) as button:
        icon(name)
    return button


def button(text: str, *, kind: str = "", type: str = "button") -> Tag:
    """Draw a button with a text."""
    return Tag("button", text, type=type, class_=f"button {kind}".strip())


def form(submit: Submit, **attributes: str) -> Tag:
    """Open a form; `submit` is given its fields by name, once, when it is sent."""

    async def on_submit(arguments: GenericEventArguments) -> None:
        fields = arguments.args if isinstance(arguments.args, dict) else {}
        await submit({name: value for name, value in fields.items() if isinstance(value, str)})

    tag = Tag("form", novalidate=True, **attributes)
    tag.on("submit", on_submit, js_handler=_READ_FORM)
    return tag


class Field:
    """A text field with its label, and a place for what is wrong with it."""

    def __init__(self, label: str, *, name: str, **attributes: str | int | bool) -> None:
        with Tag("div", class_="labelled"):
            self._label = Tag("label", label)
            with Tag("div", class_="field") as self.frame:
                self.input = Tag("input", type="text", name=name, autocomplete="off", **attributes)
            self._alert = Tag("p", role="alert", class_="alert")
        self._label._props["for"] = self.input.html_id
        self.input._props["aria-describedby"] = self._alert.html_id

    def fill(self, text: str) -> None:
        """Write into the field."""
        ui.run_javascript(f"getHtmlElement({self.input.id}).value = {json.dumps(text)}")

    def refuse(self, reason: str) -> None:
        """Say beside the field what is wrong with it, and go there."""
        self.say(reason)
        ui.run_javascript(f"getHtmlElement({self.input.id}).focus()")

    def say(self, reason: str) -> None:
        """Say something beside the field; nothing clears it."""
        self._alert.set_text(reason)
        self.input._props["aria-invalid"] = "true" if reason else "false"
        self.input.update()


def choice(label: str, *, name: str, options: Iterable[tuple[str, str]], chosen: str) -> None:
    """Draw a list to choose one from; options are values and texts."""
    with Tag("div", class_="labelled"):
        caption = Tag("label", label)
        with Tag("div", class_="field"), Tag("select", name=name) as select:
            for value, text in options:
                option = Tag("option", text, value=value)
                if value == chosen:
                    option._props["selected"] = True
        caption._props["for"] = select.html_id


class Dialog:
    """A dialog; `with dialog.body:` fills it."""

    def __init__(self, title: str, *, close_label: str) -> None:
        with Tag("dialog", class_="dialog") as self.frame:
            with Tag("header"):
                heading = Tag("h2", title)
                closer = icon_button("close", close_label)
            self.body = Tag("div", class_="dialog-body")
        self.frame._props["aria-labelledby"] = heading.html_id
        closer.on("click", js_handler=f"() => getHtmlElement({self.frame.id}).close()")

    def opens_by(self, opener: ui.element) -> None:
        """Open the dialog when `opener` is clicked, without asking the server."""
        opener.on("click", js_handler=f"() => getHtmlElement({self.frame.id}).showModal()")


def post(path: str, *, body: str, then: str) -> None:
    """Let the browser post to this site, and go to the path `then` if that is accepted."""
    ui.run_javascript(
        f"fetch({json.dumps(path)}, {{method: 'POST', body: {json.dumps(body)}}})"
        f".then((answer) => window.location.replace(answer.ok ? {json.dumps(then)} : '/login'))"
    )


def initials(nickname: str) -> Tag:
    """Draw the two first characters of the visitor's own nickname, outside any room."""
    return Tag("span", "".join(regex.findall(r"\X", nickname)[:2]), class_="initials self")
