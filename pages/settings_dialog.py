"""The settings of a visitor: language, look, what is shown, signing out, being forgotten."""

from nicegui import html, ui

from anonchat import Cost

from .context import current_context, current_visitor_id
from .elements.alert import Alert
from .elements.button import Button
from .elements.dialog import Dialog
from .elements.language_choice import LanguageChoice
from .elements.page_budget import current_budget
from .elements.scheme_choice import SchemeChoice
from .elements.sign_out import SignOut
from .elements.theme_choice import ThemeChoice
from .i18n.language import current_language
from .keyboard_dialog import open_keyboard_dialog
from .page_menu import show_page_menu
from .phrase_dialog import open_phrase_dialog
from .visibility_switches import show_visibility_switches


async def open_settings() -> None:
    """Show the settings until they are closed."""
    _, context = current_language(), current_context()
    visitor = await context.chat.identity.get(current_visitor_id())

    async def forget() -> None:
        with alert.report_errors():
            await current_budget().wait(Cost.PURGE)
            # The event signs out all pages of the visitor.
            await context.chat.identity.forget(visitor.id)

    with Dialog(_("Settings")) as dialog:
        with html.div().classes("options-line"):
            html.span(_("Language"))
            LanguageChoice(context.languages.values(), current=_)
        with html.div().classes("options-line"):
            html.span(_("Colours"))
            SchemeChoice(context.look(ui.context.client.request).scheme)
        if len(context.themes) > 1:
            with html.div().classes("options-line"):
                html.span(_("Theme"))
                ThemeChoice(context.themes.values(), accent=context.chat.settings.accent)
        if visitor.badge:
            with html.div().classes("options-line"):
                html.span(_("Secret phrase"))
                html.span(f"✓ {visitor.badge}").classes("badge")
        show_visibility_switches(visitor)
        html.a(_("What we keep"), href="privacy")
        show_page_menu(context, _)
        if not visitor.badge:
            Button(_("Add a secret phrase"), kind="quiet", on_click=lambda: dialog.submit("phrase"))
        Button(_("Keyboard"), kind="quiet not-phone", on_click=lambda: dialog.submit("keyboard"))
        Button(_("Sign out"), kind="quiet", on_click=lambda: dialog.submit("sign out"))
        with html.details().classes("forget"):
            html.summary(_("Forget me"))
            html.p(
                _(
                    "Your nickname, your rooms and everything you wrote will be gone at once, for "
                    "everybody. This cannot be undone."
                )
            )
            alert = Alert()
            Button(_("Yes, forget me now"), kind="danger", on_click=forget)
    chosen = await dialog
    if chosen == "keyboard":
        await open_keyboard_dialog()
    elif chosen == "phrase":
        await open_phrase_dialog()
    elif chosen == "sign out":
        await _open_sign_out(has_phrase=bool(visitor.badge))


async def _open_sign_out(*, has_phrase: bool) -> None:
    _ = current_language()
    with Dialog(_("Sign out")) as dialog:
        html.p(
            _(
                "This browser will no longer be recognised. Your nickname, your rooms and what you "
                "wrote stay until their time is over."
            )
        )
        html.p(
            _("You come back under your nickname with its secret phrase, from any browser.")
            if has_phrase
            else _(
                "You have no secret phrase: once you are signed out, nobody can use your nickname "
                "until it expires, and neither can you. The settings can add one first."
            )
        )
        SignOut()
    await dialog
