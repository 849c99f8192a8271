"""The pages of plugins, in our frame."""

from typing import Annotated

from fastapi import Depends, Request
from nicegui import html

from anonchat import PluginPage, Visitor

from .context import PageContext
from .elements.language_choice import LanguageChoice
from .elements.logo import Logo
from .elements.plugin_area import PluginArea
from .elements.skip_link import SkipLink
from .layout import open_page, page


def register(context: PageContext) -> None:
    """Add the pages that the plugins have registered."""
    for plugin_page in context.plugins.registry.pages.values():
        _add(context, plugin_page)


def _add(context: PageContext, plugin_page: PluginPage) -> None:
    async def find_visitor(request: Request) -> Visitor | None:
        if plugin_page.needs_visitor:
            return await context.auth.require_visitor(request)
        return await context.auth.authenticate(request) if plugin_page.wants_visitor else None

    @page(plugin_page.path)
    async def show(
        request: Request, visitor: Annotated[Visitor | None, Depends(find_visitor)]
    ) -> None:
        title = context.language(request).translate(plugin_page.title)
        language = open_page(context, request, title=title)
        with html.div().classes("paper plugin-page"):
            SkipLink(language("Skip to the content"), to=".plugin-page h1")
            Logo(context.chat.settings.name)
            html.h1(title).props["tabindex"] = -1
            with PluginArea(plugin_page.call.plugin):
                await context.plugins.show_page(plugin_page, visitor, language)
            with html.footer():
                html.a(language("Back"), href=".")
                LanguageChoice(context.languages.values(), current=language)
