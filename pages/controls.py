"""The few controls that screens are made of: plain HTML, our own look; what they do is on Screen.

A field, and what is said beside it, are known by the name that the field has in its form.
"""

import json
from collections.abc import Iterable

import htpy
import regex
from htpy import Element, Node, div, h2, header, i, label, option, p, select, span
from nicegui import ui


def icon(name: str) -> Element:
    """Draw a line icon of theme.css."""
    return i(class_=f"icon icon-{name}", aria_hidden="true")


def icon_button(name: str, label: str, **attributes: str) -> Element:
    """Draw a button that shows an icon and is called `label`."""
    return htpy.button(
        type="button",
        class_="button icon-only quiet",
        aria_label=label,
        title=label,
        **attributes,
    )[icon(name)]


def button(text: str, *, kind: str = "", type: str = "button", **attributes: str) -> Element:
    """Draw a button with a text."""
    return htpy.button(type=type, class_=f"button {kind}".strip(), **attributes)[text]


def link_button(text: str, *, current: bool, **attributes: str) -> Element:
    """Draw a button that looks like a link; the current one of several is marked."""
    mark = "true" if current else None
    return htpy.button(type="button", class_="link", aria_current=mark, **attributes)[text]


def form(*nodes: Node, calls: str, kind: str = "") -> Element:
    """Draw a form; what it calls is given its fields by name, once, when it is sent."""
    return htpy.form(novalidate=True, class_=kind or None, data_calls=calls)[nodes]


def field(text: str, *, name: str, beside: Node = None, **attributes: str | int | bool) -> Element:
    """Draw a text field with its label, and a place for what is wrong with it."""
    return div(class_="labelled")[
        label(for_=f"field-{name}")[text],
        div(class_="field")[
            htpy.input(
                type="text",
                id=f"field-{name}",
                name=name,
                autocomplete="off",
                aria_describedby=f"alert-{name}",
                **attributes,
            ),
            beside,
        ],
        alert(name),
    ]


def alert(name: str) -> Element:
    """Draw the place for what `Screen.say` says under that name."""
    return p(id=f"alert-{name}", role="alert", class_="alert", data_says=name)


def choice(text: str, *, name: str, options: Iterable[tuple[str, str]], chosen: str) -> Element:
    """Draw a list to choose one from; options are values and texts."""
    return div(class_="labelled")[
        label(for_=f"field-{name}")[text],
        div(class_="field")[
            select(id=f"field-{name}", name=name)[
                [
                    option(value=value, selected=value == chosen)[option_text]
                    for value, option_text in options
                ]
            ]
        ],
    ]


def dialog(id: str, title: str, *nodes: Node, close_label: str) -> Element:
    """Draw a dialog, closed; `data_opens=id` on a button opens it."""
    return htpy.dialog(id=id, class_="dialog", aria_labelledby=f"{id}-title")[
        header[h2(id=f"{id}-title")[title], icon_button("close", close_label, data_closes="")],
        div(class_="dialog-body")[nodes],
    ]


def post(path: str, *, body: str, then: str) -> None:
    """Let the browser post to this site, and go to the path `then` if that is accepted."""
    ui.run_javascript(
        f"fetch({json.dumps(path)}, {{method: 'POST', body: {json.dumps(body)}}})"
        f".then((answer) => window.location.replace(answer.ok ? {json.dumps(then)} : '/login'))"
    )


def initials(nickname: str) -> Element:
    """Draw the two first characters of the visitor's own nickname, outside any room."""
    return span(class_="initials self")["".join(regex.findall(r"\X", nickname)[:2])]
