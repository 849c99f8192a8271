"""The door of a room without scripts, as a visitor sees it who is not a member."""

from nicegui import html

from anonchat import Language, Room

from ..elements.alert import Alert
from ..elements.button import Button
from ..elements.field import Field
from ..http.plain_paths import room_path

_PASSWORD_CHARACTERS = 200


def show_door(language: Language, room: Room, *, asked: str, reason: str) -> None:
    """Create what is needed to come in.

    `asked` is how the visitor's question stands, `reason` why they were refused.
    """
    rules, text = room.rules, ""
    if rules.locked:
        text = language("This room is locked: nobody else can come in.")
    elif asked == "waiting":
        text = language("You have asked to come in. Wait here until you are let in.")
    elif asked:
        text = language("You were not let in.")
    html.p(language("What is said here is shown to members only.")).classes("hint")
    if text:
        html.p(text)
        html.a(language("Refresh"), href=room_path(room.slug))
        return
    with html.form(action=f"{room_path(room.slug)}/join", method="post"):
        if rules.has_password:
            Field(
                language("Password"),
                html.input_,
                type="password",
                name="password",
                maxlength=_PASSWORD_CHARACTERS,
                autocomplete="off",
            )
        Alert().text = reason
        label = language("Ask to come in") if rules.asks else language("Join room")
        Button(label).props("type=submit")
