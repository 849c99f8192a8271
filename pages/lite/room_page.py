"""The page of a room without scripts."""

from collections.abc import Sequence

from fastapi import Request
from fastapi.responses import Response
from nicegui import html

from anonchat import (
    ChatError,
    Language,
    Member,
    NeedsConfirmation,
    Room,
    Visitor,
)

from ..context import PageContext
from ..elements.alert import Alert
from ..elements.button import Button
from ..elements.field import Field
from ..elements.static_page import placeholder
from ..http.plain_paths import LOBBY, room_path
from ..rows import describe_lifetime
from .document import open_document, respond, send_origin
from .door import show_door
from .draft import Draft

_TEXT_CHARACTERS = 7_000  # no form is larger than a request may be; the core refuses long texts


async def show_room(
    context: PageContext,
    request: Request,
    visitor: Visitor,
    room: Room,
    draft: Draft,
    *,
    error: ChatError | None = None,
    told: str = "",
) -> Response:
    """Return the page for a visitor, with the draft in its form.

    `error` is why the form that the visitor has posted was refused, `told` is for them alone.
    """
    chat, language = context.chat, context.language(request)
    member = await chat.memberships.get(room.id, visitor_id=visitor.id)
    members = await chat.memberships.count(room.id)
    asked = ""
    if member is None and room.rules.asks:
        asked = await chat.doors.find_knock(room.id, visitor.id)
    reason = language.explain(error) if error else ""
    with open_document(context, request, title=room.name) as document:
        send_origin()
        with html.div().classes("lite screen lite-room"):
            _show_header(language, room, members, member)
            if told:
                html.p(placeholder("told"), role="status").classes("told")
            if member is None:
                show_door(language, room, asked=asked, reason="" if draft.text else reason)
            if member or draft.text:  # what was typed is not lost with the membership
                _show_post_form(language, room, reason, warnings=_list_warnings(language, error))
            if member:
                path = f"{room_path(room.slug)}/messages"
                with html.iframe(src=path, title=language("Messages")):
                    html.a(language("Messages"), href=path)  # of browsers without frames
    return respond(
        request, document, error=error, text=draft.text, form=draft.form_id[:64], told=told
    )


def _show_header(language: Language, room: Room, members: int, member: Member | None) -> None:
    path = room_path(room.slug)
    with html.header():
        html.a(language("Rooms"), href=LOBBY)
        with html.h1():
            html.bdi(room.name)
        html.a(language("Full version"), href=f"r/{path.removeprefix(f'{LOBBY}/')}")
        if member:
            with html.form(action=f"{path}/leave", method="post"):
                Button(language("Leave room"), kind="quiet").props("type=submit")
    if room.topic:
        html.p(room.topic, dir="auto")
    with html.div().classes("chips"):
        for text in (
            describe_lifetime(room, language),
            language("public") if room.listed else language("by link"),
            language.count("{n} member", "{n} members", members),
        ):
            html.span(text).classes("chip")


def _show_post_form(
    language: Language, room: Room, reason: str, *, warnings: Sequence[str]
) -> None:
    with html.form(action=room_path(room.slug), method="post", autocomplete="off"):
        html.input_(type="hidden", name="form", value=placeholder("form"))
        field = Field(
            language("Message"),
            html.textarea,
            # A browser drops a line break at the beginning.
            inner_html=f"\n{placeholder('text')}",
            name="text",
            rows=3,
            maxlength=_TEXT_CHARACTERS,
            required=True,
            autofocus=True,
        )
        alert = _show_alert(reason)
        field.control.props["aria-describedby"] = alert.html_id
        field.control.props["aria-invalid"] = bool(reason)
        if warnings:
            with html.ul().classes("doubts"):
                for warning in warnings:
                    html.li(warning)
        with html.div().classes("options-line"):
            Button(language("Send")).props("type=submit")
            if warnings:
                Button(language("Send anyway"), kind="quiet").props(
                    "type=submit name=confirmed value=yes"
                )


def _show_alert(reason: str) -> Alert:
    alert = Alert()
    alert.text = reason
    return alert


def _list_warnings(language: Language, error: ChatError | None) -> list[str]:
    if not isinstance(error, NeedsConfirmation):
        return []
    return [language.translate(each) for each in error.warnings]
