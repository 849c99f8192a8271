"""The secret phrase in the settings: a visitor without one may add it."""

from nicegui import html, ui

from anonchat import Cost, InvalidPhrase, Visitor

from .context import current_context, current_visitor_id
from .elements.button import Button
from .elements.form import Fields, Form
from .elements.page_budget import current_budget
from .http.client_address import client_address
from .i18n.language import current_language
from .phrase_field import show_phrase_field


def show_phrase_settings(visitor: Visitor) -> None:
    """Create the badge of a visitor with a phrase, or the form that adds a phrase."""
    _ = current_language()

    def show_badge(badge: str) -> None:
        with line, html.div().classes("options-line"):
            html.span(_("Secret phrase"))
            html.span(f"✓ {badge}").classes("badge")

    async def add(fields: Fields) -> None:
        await current_budget().spend(Cost.SIGN_IN)
        try:
            known = await current_context().chat.identity.add_phrase(
                current_visitor_id(),
                fields.get("phrase", ""),
                address=client_address(ui.context.client.request),
            )
        except InvalidPhrase as error:
            field.refuse(_.explain(error))
            return
        details.delete()
        show_badge(known.badge)
        line.run_method("focus")

    line = html.div().props("role=status tabindex=-1")
    if visitor.badge:
        show_badge(visitor.badge)
        return
    with html.details() as details:
        html.summary(_("Be recognised another day with a secret phrase"))
        with Form(add):
            field = show_phrase_field(_)
            Button(_("Add the phrase")).props("type=submit")
