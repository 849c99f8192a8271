"""The lobby: find or create a room, see the public ones."""

from typing import Annotated

from fastapi import Depends, Request
from htpy import Element, Node, bdi, div, h1, h2, header, p, section, span

from anonchat import Visitor

from .frame import open_page, page
from .language import Language
from .live.feed import Beside, CatchUp, Feed, Page, Shown, whole_feed
from .live.feeds import draw_each
from .live.screen import Screen
from .news import HALL, NEW_ROOMS
from .rail import rail, room_finder
from .rows import Row, card_row, hall_row
from .site import Site

_ROOMS_ON_PAGE = 1_000  # whoever looks for another one types its name


def register(site: Site) -> None:
    """Add the page."""

    @page("/")
    async def lobby(
        request: Request, visitor: Annotated[Visitor, Depends(site.door.visitor)]
    ) -> None:
        language = open_page(site, request)
        with Screen("shell lobby", budget=site.chat.work) as screen:
            screen.draw(
                await rail(site, visitor, language, screen),
                div(class_="hall")[
                    div(class_="welcome")[
                        h1[
                            _greet(
                                language("Where to, {nickname}?", nickname="\0"), visitor.nickname
                            )
                        ],
                        p[
                            language(
                                "Type a name. If the room exists you join it, if not it is yours."
                            )
                        ],
                        room_finder(site, visitor, language, with_button=True),
                    ],
                    await _PublicRooms(site, visitor, language).draw(),
                ],
            )


def _greet(sentence: str, nickname: str) -> Node:
    before, _, after = sentence.partition("\0")
    return span[before], bdi[nickname], span[after]


class _PublicRooms:
    """The list of public rooms on one screen, page by page through one snapshot of their order."""

    def __init__(self, site: Site, visitor: Visitor, language: Language) -> None:
        self._site = site
        self._visitor = visitor
        self._language = language
        self._order = site.chat.lobby.order()
        self._places: dict[str, int] = {}

    async def draw(self) -> Element:
        """Draw the list."""
        language = self._language
        count = whole_feed(
            self._site.feeds,
            HALL,
            lambda: [hall_row(*self._site.chat.lobby.count(), language=language)],
            tag="small",
            language=language,
            viewer=self._visitor.id,
        )
        rooms = Feed(
            self._site.feeds,
            NEW_ROOMS,
            tag="ul",
            label="",
            language=language,
            viewer=self._visitor.id,
            catch_up=self._catch_up,
            turn_page=self._turn_page,
            follow="card",
            cap=_ROOMS_ON_PAGE,
        )
        page = await self._turn_page(Beside())
        return section(class_="public", aria_labelledby="public")[
            header[
                h2(id="public")[language("Public rooms")],
                count,
            ],
            rooms.begin(CatchUp(page.rows, keep=[], more=page.more)),
            p(class_="empty")[
                language("No public room yet. Type a name above, and the first one is yours.")
            ],
        ]

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
