"""A panel with a state: all who look at it see the same time run down.

Only a number is kept in the room: when it ends. Every page counts by itself.
"""

from datetime import datetime, timedelta

from nicegui import ui

from anonchat.plugins import Chat, Plugin, RoomState

plugin = Plugin("countdown")


@plugin.panel("Countdown", icon="clock")
async def show(state: RoomState, chat: Chat) -> None:
    end: datetime | None = None
    left = ui.label().classes("text-h4")

    def count() -> None:
        seconds = max(0, round((end - chat.now()).total_seconds())) if end else 0
        left.set_text(f"{seconds // 60}:{seconds % 60:02}")

    async def read() -> None:
        nonlocal end
        text = await state.get("end")
        end = datetime.fromisoformat(text) if isinstance(text, str) else None
        count()

    async def start(minutes: int) -> None:
        await state.put("end", (chat.now() + timedelta(minutes=minutes)).isoformat())

    with ui.row():
        for minutes in (1, 5, 10):
            ui.button(f"{minutes} min", on_click=lambda minutes=minutes: start(minutes))
        ui.button("Stop", on_click=lambda: state.delete("end"))
    await read()
    state.watch(read)
    ui.timer(1, count)
