"""The lobby: find or create a room, see the public ones."""

from typing import Annotated

from fastapi import Depends, Request
from nicegui import ui

from anonchat import Visitor

from .controls import Tag
from .frame import open_page
from .language import Language
from .live.feed import Beside, CatchUp, Feed, Page, Shown
from .live.feeds import draw_each
from .news import HALL, NEW_ROOMS
from .rail import rail, room_finder
from .rows import Row, card_row, hall_row
from .site import Site

_ROOMS_ON_PAGE = 1_000  # whoever looks for another one types its name


def register(site: Site) -> None:
    """Add the page."""

    @ui.page("/")
    async def lobby(
        request: Request, visitor: Annotated[Visitor, Depends(site.door.visitor)]
    ) -> None:
        language = open_page(site, request)
        with Tag("div", class_="shell lobby"):
            await rail(site, visitor, language, with_finder=False)
            with Tag("div", class_="hall"):
                with Tag("div", class_="welcome"):
                    with Tag("h1"):
                        _greet(language("Where to, {nickname}?", nickname="\0"), visitor.nickname)
                    Tag(
                        "p",
                        language(
                            "Type a name. If the room exists you join it, if not it is yours."
                        ),
                    )
                    room_finder(site, visitor, language, with_button=True)
                await _PublicRooms(site, visitor, language).draw()


def _greet(sentence: str, nickname: str) -> None:
    before, _, after = sentence.partition("\0")
    Tag("span", before)
    Tag("bdi", nickname)
    Tag("span", after)


class _PublicRooms:
    """The list of public rooms on one screen, page by page through one snapshot of their order."""

    def __init__(self, site: Site, visitor: Visitor, language: Language) -> None:
        self._site = site
        self._visitor = visitor
        self._language = language
        self._order = site.chat.lobby.order()
        self._places: dict[str, int] = {}

    async def draw(self) -> None:
        """Draw the list."""
        lobby, language = self._site.chat.lobby, self._language
        with Tag("section", class_="public") as section:
            with Tag("header"):
                heading = Tag("h2", language("Public rooms"))
                Feed(
                    self._site.feeds,
                    HALL,
                    tag="small",
                    label="",
                    language=language,
                    viewer=self._visitor.id,
                    rows=[hall_row(*lobby.count(), language=language)],
                    catch_up=self._count,
                )
            page = await self._turn_page(Beside())
            Feed(
                self._site.feeds,
                NEW_ROOMS,
                tag="ul",
                label="",
                language=language,
                viewer=self._visitor.id,
                rows=page.rows,
                catch_up=self._catch_up,
                turn_page=self._turn_page,
                follow="card",
                more=page.more,
                cap=_ROOMS_ON_PAGE,
            )
            Tag(
                "p",
                language("No public room yet. Type a name above, and the first one is yours."),
                class_="empty",
            )
        section._props["aria-labelledby"] = heading.html_id

    async def _turn_page(self, beside: Beside) -> Page:
        start = self._places.get(beside.after, -1) + 1
        rows: list[Row] = []
        while not rows and start < len(self._order):  # all rooms of a page may have ended
            page = self._order[start:][: self._site.chat.settings.page_size]
            self._places.update((room_id, start + place) for place, room_id in enumerate(page))
            rows = await self._rows(list(page))
            start += len(page)
        return Page(rows, more=start < len(self._order))

    async def _rows(self, room_ids: list[str]) -> list[Row]:
        return await draw_each(
            await self._site.chat.lobby.glance_all(room_ids),
            lambda glance: card_row(
                glance,
                order=self._places.get(glance.room.id, -glance.room.created_at.timestamp()),
                language=self._language,
            ),
        )

    async def _catch_up(self, shown: Shown) -> CatchUp:
        public = self._site.chat.lobby.order()
        known = set(public) & set(shown.keys)
        older = {*self._order}  # they come by scrolling
        newer = [id for id in public if id not in older and id not in known]
        page = self._site.chat.settings.page_size
        return CatchUp(await self._rows([*known, *newer[:page]]), keep=[])

    async def _count(self, _shown: Shown) -> CatchUp:
        return CatchUp([hall_row(*self._site.chat.lobby.count(), language=self._language)], keep=[])
