"""What a page shows before its scripts have run."""

import re

import httpx
import pytest
from nicegui import Client, html, ui

from pages.elements.first_paint import paint_page
from tests.pages.tab import connect_page

pytestmark = pytest.mark.asyncio(loop_scope="session")

_HOSTILE = "</p><script>alert(1)</script>\"'&"


def _first_paint(page: str) -> str:
    return page.partition('<div id="app">')[2].partition('<div id="nicegui-keep-alive-cache"')[0]


def _paint(build: object) -> str:
    client = Client(ui.page(""))
    try:
        with client:
            build()  # type: ignore[operator]
        return paint_page(client.content)
    finally:
        client.delete()


@pytest.mark.parametrize(("code", "title"), [("en", "What we keep"), ("ru", "Что мы храним")])
async def test_first_paint_shows_the_elements_and_rows_of_a_page(
    browser: httpx.AsyncClient, code: str, title: str
) -> None:
    response = await browser.get("/privacy", headers={"accept-language": code})
    paint = _first_paint(response.text)
    assert f">{title}</h1>" in paint
    assert len(re.findall("<h2 ", paint)) == 6
    assert paint.count("<li>") == 4
    assert paint.count('class="link" type="button"') == 2


async def test_first_paint_is_not_kept(browser: httpx.AsyncClient, url: str) -> None:
    page = (await browser.get("/privacy")).text
    async with connect_page(url, page) as tab:
        for text in (vars(tab.client), tab.client.request.scope):
            assert "<h1" not in f"{text}"


async def test_first_paint_escapes_texts_and_attributes(browser: httpx.AsyncClient) -> None:
    def build() -> None:
        with html.p(_HOSTILE).classes(_HOSTILE).style(f"color: {_HOSTILE}"):
            html.a(_HOSTILE, href=_HOSTILE)

    paint = _paint(build)
    assert "<script" not in paint
    assert paint.count("<p ") == paint.count("</p>") == 1
    assert paint.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 5


async def test_first_paint_writes_attributes_as_the_browser_would(
    browser: httpx.AsyncClient,
) -> None:
    def build() -> None:
        html.input_().props.update(
            {"disabled": True, "readonly": False, "aria-invalid": False, ":value": "1"}
        )
        html.br()

    paint = _paint(build)
    assert re.search(r'<input id="c\d+" disabled aria-invalid="false"><br id="c\d+"></div>', paint)


async def test_first_paint_leaves_out_what_only_scripts_draw(browser: httpx.AsyncClient) -> None:
    def build() -> None:
        ui.button("drawn by Quasar")
        html.p("drawn at once")

    paint = _paint(build)
    assert "drawn at once" in paint
    assert "Quasar" not in paint


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/nowhere", "/broken"])
async def test_error_page_follows_the_chosen_theme(
    browser: httpx.AsyncClient, path: str, theme: str
) -> None:
    response = await browser.get(path, headers={"cookie": f"theme={theme}"})
    assert f" color-scheme: {theme}; }}" in response.text


async def test_error_page_is_titled_by_its_heading(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/nowhere")).text
    assert "<title>There is nothing at this address. · anonchat</title>" in page
    assert ">There is nothing at this address.</h1>" in page
    assert "<script" not in page
