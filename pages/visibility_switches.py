"""The switches for what a visitor shows of themselves, and is shown of others."""

from nicegui import html

from anonchat import Cost, Visitor

from .context import current_context
from .elements.alert import Alert
from .elements.page_budget import current_budget
from .elements.preference_switch import PreferenceSwitch
from .i18n.language import current_language


def show_visibility_switches(visitor: Visitor) -> None:
    """Create the switches.

    What the visitor shows is changed on all pages and in the API, the rest in this browser.
    """
    _, preferences = current_language(), current_context().chat.preferences
    budget = current_budget()

    async def show_typing(is_on: bool) -> None:
        await budget.spend(Cost.PREFERENCES)
        await preferences.change(visitor.id, shows_typing=is_on)

    async def show_presence(is_on: bool) -> None:
        await budget.spend(Cost.PREFERENCES)
        await preferences.change(visitor.id, shows_presence=is_on)

    with html.div().classes("switches"):
        typing = PreferenceSwitch(_("Show when I type"))
        presence = PreferenceSwitch(_("Show when I am here"))
        html.p(_("If it is not shown that you are here, it is not shown that you type.")).classes(
            "hint"
        )
        alert = Alert()
        PreferenceSwitch(_("Show who joins and leaves")).keep("joins")
    typing.call(show_typing, on=visitor.preferences.shows_typing, alert=alert)
    presence.call(show_presence, on=visitor.preferences.shows_presence, alert=alert)
