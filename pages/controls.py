"""Form controls as plain HTML. `Screen` handles their clicks and submits.

A field and its alert are identified by the name of the field in its form.
"""

from collections.abc import Iterable

import htpy
import regex
from htpy import Element, Node, div, h2, header, i, label, option, p, select, span


def icon(name: str) -> Element:
    """Draw an icon of theme.css."""
    return i(class_=f"icon icon-{name}", aria_hidden="true")


def icon_button(name: str, label: str, **attributes: str) -> Element:
    """Draw a button that shows an icon; `label` is its accessible name and tooltip."""
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
    """Draw a button that looks like a link; `current` marks the selected one of a group."""
    mark = "true" if current else None
    return htpy.button(type="button", class_="link", aria_current=mark, **attributes)[text]


def form(*nodes: Node, calls: str) -> Element:
    """Draw a form; on submit, the handler named `calls` gets its fields by name."""
    return htpy.form(novalidate=True, data_calls=calls)[nodes]


def field(text: str, *, name: str, **attributes: str | int | bool) -> Element:
    """Draw a text field with its label and its alert."""
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
            )
        ],
        alert(name),
    ]


def alert(name: str) -> Element:
    """Draw the empty alert that `Screen.show_alert` fills by name."""
    return p(id=f"alert-{name}", role="alert", class_="alert", data_says=name)


def choice(
    text: str, *, name: str, options: Iterable[tuple[str, str]], selected: str, alert: str = ""
) -> Element:
    """Draw a select field; options are pairs of value and text, `alert` names its alert if any."""
    return div(class_="labelled")[
        label(for_=f"field-{name}")[text],
        div(class_="field")[
            select(
                id=f"field-{name}", name=name, aria_describedby=f"alert-{alert}" if alert else None
            )[
                [
                    option(value=value, selected=value == selected)[option_text]
                    for value, option_text in options
                ]
            ]
        ],
    ]


def dialog(id: str, title: str, *nodes: Node, close_label: str) -> Element:
    """Draw a closed dialog; `data_opens=id` on a button opens it."""
    return htpy.dialog(id=id, class_="dialog", aria_labelledby=f"{id}-title")[
        header[h2(id=f"{id}-title")[title], icon_button("close", close_label, data_closes="")],
        div(class_="dialog-body")[nodes],
    ]


def initials(nickname: str) -> Element:
    """Draw the first two characters of the visitor's own nickname, outside any room."""
    return span(class_="initials self")["".join(regex.findall(r"\X", nickname)[:2])]
