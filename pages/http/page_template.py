"""NiceGUI's only template, which all its pages are rendered from."""

from jinja2 import ChoiceLoader, DictLoader
from nicegui.client import templates

_PAGE = "index.html"


def edit_page_template(old: str, new: str) -> None:
    """Replace every `old` in the template by `new`, for all pages of this process."""
    loader = templates.env.loader
    assert loader
    source, _, _ = loader.get_source(templates.env, _PAGE)
    assert old in source, f"NiceGUI's template has no {old}"
    templates.env.loader = ChoiceLoader([DictLoader({_PAGE: source.replace(old, new)}), loader])
