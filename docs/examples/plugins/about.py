"""A page: `/about`, with a link in the menu."""

from nicegui import ui

from anonchat.plugins import Chat, Plugin

plugin = Plugin("about")


@plugin.page("/about", title="About", in_menu=True)
def show(chat: Chat) -> None:
    ui.label(f"{chat.name} is run by the tea society.").classes("text-h6")
    ui.label("Questions? Come to the room “helpdesk”.")
    ui.link("Our rules", "https://example.org/rules")
