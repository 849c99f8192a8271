"""The gallery: NiceGUI's common elements beside ours, to look at during development.

It is served only with `ANONCHAT_LOG_LEVEL=debug`, and its texts are English only.
"""

from dataclasses import dataclass

from fastapi import Request
from nicegui import html, ui

from .context import PageContext
from .elements.button import Button, IconButton, LinkButton
from .elements.language_choice import LanguageChoice
from .elements.logo import Logo
from .elements.text_field import TextField
from .layout import ICON, open_page, page

_ROOMS = ["night train", "tea", "quiet corner"]
_COLUMNS = [
    {"name": "room", "label": "Room", "field": "room", "align": "left"},
    {"name": "here", "label": "Here", "field": "here"},
]
_ROWS = [{"room": room, "here": number} for number, room in enumerate(_ROOMS)]
_INK = {"color": "var(--ink-soft)"}
_PLOT = {
    "animation": False,
    "aria": {"show": True},
    "xAxis": {"type": "category", "data": _ROOMS, "axisLabel": _INK},
    "yAxis": {
        "type": "value",
        "axisLabel": _INK,
        "splitLine": {"lineStyle": {"color": "var(--line)"}},
    },
    "series": [{"type": "bar", "data": [3, 5, 2], "itemStyle": {"color": "var(--accent)"}}],
}


@dataclass
class _State:
    """A plain object that elements are bound to."""

    topic: str = "trains"
    volume: float = 40
    is_listed: bool = True
    room: str = _ROOMS[0]


def register(context: PageContext) -> None:
    """Add the page."""

    @page("/gallery")
    def gallery(request: Request) -> None:
        language = open_page(context, request, title="Gallery")
        state = _State()
        with html.div().classes("gallery"):
            Logo(context.chat.settings.name)
            html.h1("Gallery")
            _show_buttons()
            _show_fields(state)
            _show_bindings(state)
            _show_containers()
            _show_overlays()
            _show_data()
            with html.footer():
                html.a("Back", href=".")
                LanguageChoice(context.languages.values(), current=language)


def _show_buttons() -> None:
    html.h2("Buttons")
    with ui.row():
        Button("Ours", on_click=lambda: ui.notify("Ours was clicked"))
        Button("Quiet", kind="quiet")
        Button("Danger", kind="danger")
        IconButton("dice", "Icon")
        LinkButton("Link")
    with ui.row():
        ui.button("NiceGUI’s", on_click=lambda: ui.notify("NiceGUI’s was clicked"))
        ui.button("Outlined").props("outline")
        ui.button("Flat").props("flat")
        ui.button("Negative", color="negative")
        ui.button(icon="add").props("round aria-label=Add")
        ui.button("Disabled").disable()
        ui.link("A link", "/privacy")


def _show_fields(state: _State) -> None:
    html.h2("Fields")
    with ui.grid(columns=2):
        TextField("Ours", name="ours", placeholder="A text")
        TextField("Refused", name="refused", error="Too short")
        ui.input("Topic").bind_value(state, "topic")
        ui.number("Volume").bind_value(state, "volume")
        ui.select(_ROOMS, label="Room").bind_value(state, "room")
        ui.input("Secret", password=True, placeholder="sesame")
        ui.textarea("Message")
        ui.input("Checked", validation={"Too long": lambda text: len(text) < 3}).set_value("long")
    with ui.row():
        ui.switch("Listed").bind_value(state, "is_listed")
        ui.checkbox("Checked", value=True)
        ui.radio(_ROOMS, value=_ROOMS[0]).props("inline")
        ui.toggle(["hour", "day", "week"], value="day")
    ui.slider(min=0, max=100).props("aria-label=Volume").bind_value(state, "volume")


def _show_bindings(state: _State) -> None:
    html.h2("Bindings")
    ui.label().bind_text_from(state, "topic", lambda topic: f"The topic is {topic}.")
    ui.label().bind_text_from(state, "volume", lambda volume: f"The volume is {volume:.0f}.")
    ui.label("This room is listed.").bind_visibility_from(state, "is_listed")
    ui.linear_progress(show_value=False).props("aria-label=Volume").bind_value_from(
        state, "volume", lambda volume: volume / 100
    )
    Button().bind_text_from(state, "room", lambda room: f"Open {room}")


def _show_containers() -> None:
    html.h2("Containers")
    with ui.card():
        ui.label("A card")
        ui.separator()
        with ui.row():
            ui.badge("3")
            ui.chip("A chip", icon="schedule")
            ui.spinner()
            ui.icon("schedule")
            ui.avatar("A")
    with ui.tabs() as tabs:
        first = ui.tab("First")
        second = ui.tab("Second")
    with ui.tab_panels(tabs, value=first):
        with ui.tab_panel(first):
            ui.label("The first panel")
        with ui.tab_panel(second):
            ui.label("The second panel")
    with ui.expansion("An expansion", value=True):
        ui.label("What it shows")
    with ui.list().props("bordered"):
        ui.item("An item", on_click=lambda: ui.notify("The item was clicked"))


def _show_overlays() -> None:
    html.h2("Overlays")
    with ui.row():
        ui.button("Dialog", on_click=_ask)
        with ui.button("Menu"), ui.menu():
            ui.menu_item("First", lambda: ui.notify("First was chosen"))
            ui.menu_item("Second")
        ui.button("Notify", on_click=lambda: ui.notify("Saved", type="positive"))
        ui.button("Tooltip").tooltip("What it does")


async def _ask() -> None:
    with ui.dialog() as dialog, ui.card():
        html.h2("Sure?").props("id=sure")
        Button("Yes", on_click=lambda: dialog.submit("yes"))
    dialog.props("aria-labelledby=sure")
    ui.notify(f"The answer is {await dialog}")
    dialog.delete()


def _show_data() -> None:
    html.h2("Data")
    ui.table(columns=_COLUMNS, rows=_ROWS, row_key="room")
    ui.image(ICON).props("alt=Icon").style("width: 48px")
    ui.echart(_PLOT, renderer="svg").style("height: 240px")
