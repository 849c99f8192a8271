"""A plugin with each kind of event that a page of a room can get from plugins."""

from nicegui import html, ui

from anonchat.plugins import Message, Plugin, Post, RoomState

plugin = Plugin("target")


@plugin.panel("Target")
async def show_count(state: RoomState) -> None:
    """Show a number that everybody can increase."""

    @ui.refreshable
    async def show() -> None:
        html.span(f"count {await state.get('count', 0)}")

    async def increase() -> None:
        await state.change(lambda values: values.update(count=values.get("count", 0) + 1))

    html.button("Increase").on("click", increase)
    await show()
    state.watch(show.refresh)


@plugin.action("Say")
def say() -> Post:
    """Post."""
    return Post("said")


@plugin.action("Repeat", where="message")
def repeat(message: Message) -> Post:
    """Post the first words of a message again."""
    return Post(message.text[:100])
