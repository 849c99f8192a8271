"""The panels beside a room: its members, and those of plugins."""

from anonchat import ChatError, Cost, Member, Room

from .context import current_context
from .elements.alert import Alert
from .elements.page_budget import current_budget
from .elements.plugin_area import PluginArea
from .elements.side_tabs import SideTabs, Tab
from .i18n.language import current_language


def show_room_panels(room: Room, member: Member) -> SideTabs:
    """Create the tabs; what is created in their `with` block fills the first one, the members.

    A panel of a plugin is built when it is opened, and charged to the visitor. If it fails, it
    shows why, and is built again when it is opened again.
    """
    _, context, budget = current_language(), current_context(), current_budget()
    panels = context.plugins.registry.panels

    async def fill(id: str) -> bool:
        panel = panels[id]
        with PluginArea(panel.call.plugin) as area:
            try:
                await budget.spend(Cost.PLUGIN)
                await context.plugins.show_panel(
                    panel,
                    room.id,
                    member.visitor_id,
                    language=_,
                    add_watcher=area.watch_state,
                )
            except ChatError as error:
                area.clear()
                Alert().show_error(error)
                return False
        return True

    tabs = [
        Tab("", _("Members")),
        *(Tab(each.id, _.translate(each.title), each.icon) for each in panels.values()),
    ]
    return SideTabs(_("Beside the room"), tabs, fill=fill, room_id=room.id)
