"""The dialog in which a visitor adds a secret phrase."""

from nicegui import html, ui

from anonchat import Cost, InvalidPhrase

from .context import current_context, current_visitor_id
from .elements.button import Button
from .elements.dialog import Dialog
from .elements.form import Fields, Form
from .elements.page_budget import current_budget
from .http.client_address import client_address
from .i18n.language import current_language
from .phrase_field import show_phrase_field


async def open_phrase_dialog() -> None:
    """Show the dialog; when the phrase is added, it shows the badge."""
    _ = current_language()

    async def add(fields: Fields) -> None:
        await current_budget().spend(Cost.SIGN_IN)
        try:
            visitor = await current_context().chat.identity.add_phrase(
                current_visitor_id(),
                fields.get("phrase", ""),
                address=client_address(ui.context.client.request),
            )
        except InvalidPhrase as error:
            field.refuse(_.explain(error))
            return
        form.delete()
        with status:
            html.p(_("From now on others see this badge beside your nickname:"))
            html.span(f"✓ {visitor.badge}").classes("badge")
        status.run_method("focus")

    with Dialog(_("Add a secret phrase")) as dialog:
        status = html.div().props("role=status tabindex=-1")
        with Form(add) as form:
            field = show_phrase_field(_, autofocus=True)
            Button(_("Add the phrase")).props("type=submit")
    await dialog
