"""The lobby: find or create a room, list the public ones."""

from typing import Annotated

from fastapi import Depends, Request
from htpy import Element, Node, bdi, div, h1, h2, header, p, section, span

from anonchat import Visitor

from .context import PageContext
from .elements.live_list import ClientState, Cursor, LiveList, Page, SyncResult, snapshot_list
from .elements.screen import Screen
from .feeds.broadcaster import draw_each
from .feeds.topics import LOBBY_COUNTS, NEW_ROOMS
from .i18n.language import Language
from .layout import open_page, page, skip_link
from .rows import Row, card_row, lobby_counts_row
from .sidebar import room_search, sidebar

_ROOMS_ON_PAGE = 1_000  # others are found by name


def register(context: PageContext) -> None:
    """Add the page."""

    @page("/")
    async def lobby(
        request: Request, visitor: Annotated[Visitor, Depends(context.auth.require_visitor)]
    ) -> None:
        language = open_page(context, request, title=context.language(request)("Rooms"))
        with Screen("shell lobby", budget=context.chat.work_budget, language=language) as screen:
            screen.draw(
                skip_link(language, "./", "hall"),
                await sidebar(context, visitor, language, screen),
                div(class_="hall", id="hall", tabindex="-1")[
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
                        room_search(context, visitor, language, with_button=True),
                    ],
                    await _PublicRooms(context, visitor, language).draw(),
                ],
            )


def _greet(sentence: str, nickname: str) -> Node:
    before, _, after = sentence.partition("\0")
    return span[before], bdi[nickname], span[after]


class _PublicRooms:
    """The list of public rooms on one page, paginated over one snapshot of their order."""

    def __init__(self, context: PageContext, visitor: Visitor, language: Language) -> None:
        self._context = context
        self._visitor = visitor
        self._language = language
        self._order = context.chat.room_directory.list_ids()
        self._positions: dict[str, int] = {}

    async def draw(self) -> Element:
        """Draw the list."""
        language = self._language
        count = snapshot_list(
            self._context.feeds,
            LOBBY_COUNTS,
            lambda: [
                lobby_counts_row(*self._context.chat.room_directory.count(), language=language)
            ],
            tag="small",
            language=language,
            viewer=self._visitor.id,
        )
        rooms = LiveList(
            self._context.feeds,
            NEW_ROOMS,
            tag="ul",
            label="",
            language=language,
            viewer=self._visitor.id,
            catch_up=self._catch_up,
            load_page=self._load_page,
            row_channel="card",
            cap=_ROOMS_ON_PAGE,
        )
        page = await self._load_page(Cursor())
        return section(class_="public", aria_labelledby="public")[
            header[
                h2(id="public")[language("Public rooms")],
                count,
            ],
            rooms.set_initial_rows(SyncResult(page.rows, keep=[], more=page.more)),
            p(class_="empty")[
                language("No public room yet. Type a name above, and the first one is yours.")
            ],
        ]

    async def _load_page(self, cursor: Cursor) -> Page:
        start = self._positions.get(cursor.after, -1) + 1
        rows: list[Row] = []
        while not rows and start < len(self._order):  # all rooms of a page may have ended
            page = self._order[start:][: self._context.chat.settings.page_size]
            self._positions.update((room_id, start + index) for index, room_id in enumerate(page))
            rows = await self._rows(list(page))
            start += len(page)
        return Page(rows, more=start < len(self._order))

    async def _rows(self, room_ids: list[str]) -> list[Row]:
        return await draw_each(
            await self._context.chat.room_directory.summaries(room_ids),
            lambda summary: card_row(
                summary,
                order=self._positions.get(summary.room.id, -summary.room.created_at.timestamp()),
                language=self._language,
            ),
        )

    async def _catch_up(self, shown: ClientState) -> SyncResult:
        public = self._context.chat.room_directory.list_ids()
        known = set(public) & set(shown.keys)
        snapshot = {*self._order}  # the reader loads these by scrolling
        newer = [id for id in public if id not in snapshot and id not in known]
        page = self._context.chat.settings.page_size
        return SyncResult(await self._rows([*known, *newer[:page]]), keep=[])
