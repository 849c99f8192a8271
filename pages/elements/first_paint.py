"""The first paint: the elements of a page as HTML, which is seen before the scripts have run."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from markupsafe import escape
from nicegui import Client, html, ui

from ..http.page_template import edit_page_template

_APP = '<div id="app" {% if unocss %}class="nicegui-unocss-loading" {% endif %}></div>'
_PAINTED_APP = """<script nonce="{{ request.scope.nonce }}">
%s</script>
<div id="app">
{%%- if request.scope.first_paint %%}{{ request.scope.first_paint() | safe }}{%% endif -%%}
</div>"""
_MOUNT = 'app.mount("#app");'
_SCRIPT = Path(__file__).with_suffix(".js").read_text()
_TAGS = {name.rstrip("_") for name in vars(html) if name[0].islower()} | {"noscript"}
_VOID_TAGS = {"area", "br", "col", "embed", "hr", "img", "input", "source", "track", "wbr"}


@runtime_checkable
class Paintable(Protocol):
    """An element that is drawn by a script, but knows what it shows at first."""

    def paint(self) -> str:
        """Return the HTML that the script takes over."""


def install_first_paint() -> None:
    """Make the template of all pages show the first paint until Vue replaces it.

    Vue empties the element that it is mounted in, and fills it in the same task: nothing flickers.
    """
    edit_page_template(_APP, _PAINTED_APP % _SCRIPT)
    edit_page_template(_MOUNT, f"replaceFirstPaint(() => {_MOUNT.rstrip(';')});")


def paint_on_response(client: Client) -> None:
    """Paint a page when its response is built; the HTML is not kept, so it outlives nothing."""
    client.request.scope["first_paint"] = lambda: paint_page(client.content)


def paint_page(content: ui.element) -> str:
    """Return the content of a page as HTML, in the frame that NiceGUI gives it."""
    return f'<main class="q-page">{"".join(_paint(content))}</main>'


def paint_elements(elements: Iterable[ui.element]) -> str:
    """Return elements as HTML, for a `Paintable` that contains them."""
    return "".join(part for element in elements for part in _paint(element))


def _paint(element: ui.element) -> Iterator[str]:
    if tag := _painted_tag(element):
        yield f"<{tag}{''.join(_attributes(element))}>"
        if tag not in _VOID_TAGS:
            yield escape(element._text or "")
            for child in element.default_slot.children:
                yield from _paint(child)
            yield f"</{tag}>"
    elif isinstance(element, Paintable):
        yield element.paint()


def _painted_tag(element: ui.element) -> str:
    """Return the tag that an element is painted with, or ""."""
    tag: str = getattr(element, "painted_tag", "")  # of an element whose script draws its children
    return tag or (element.tag if element.tag in _TAGS and not element.component else "")


def _attributes(element: ui.element) -> Iterator[str]:
    yield f' id="{element.html_id}"'
    if element.classes:
        yield f' class="{escape(" ".join(element.classes))}"'
    if element.style:
        style = ";".join(f"{name}:{value}" for name, value in element.style.items())
        yield f' style="{escape(style)}"'
    for key, value in element.props.items():
        name = key.removeprefix("^")  # Vue's mark of an attribute
        if isinstance(value, bool) and name.startswith("aria-"):
            yield f' {escape(name)}="{str(value).lower()}"'
        elif value is True:
            yield f" {escape(name)}"
        elif value not in (None, False) and not name.startswith(":"):
            yield f' {escape(name)}="{escape(value)}"'
