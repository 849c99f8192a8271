"""An inline mark: `[[Ctrl+K]]` inside ordinary messages is drawn as keys."""

from htpy import Element, kbd

from anonchat.plugins import Plugin

plugin = Plugin("keys")


@plugin.inline(r"\[\[([^\[\]\n]{1,20})\]\]")
def draw_keys(match) -> Element:
    return kbd[match[1]]
