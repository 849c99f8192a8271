"""An inline mark: `*bold*` inside ordinary messages."""

from htpy import Element, b

from anonchat.plugins import Plugin

plugin = Plugin("bold")


@plugin.inline(r"(?<!\S)\*((?=\S)[^*\n]+(?<=\S))\*(?!\w)")
def draw_bold(match) -> Element:
    return b[match[1]]
