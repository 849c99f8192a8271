"""A person in front of a browser: what they do and see, in the words of the screens."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from playwright.async_api import (
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    WebError,
    expect,
)

SECONDS = 1_000
PATIENCE = 120 * SECONDS
BROKEN_LINE = r"net::ERR_|WebSocket connection to|Failed to load resource|Failed to fetch"
_SAID = """(log) => [...log.querySelectorAll("[data-key]:not(.going) .text")]
    .map((text) => text.textContent)"""

expect.set_options(timeout=PATIENCE)


@dataclass
class Words:
    """What the controls are called in one language."""

    nickname: str = "Nickname"
    enter: str = "Enter"
    suggest: str = "Suggest a nickname"
    phrase: str = "Secret phrase"
    find: str = "Find or create a room"
    open: str = "Open"
    own: str = "Your rooms"
    public: str = "Public rooms"
    new_room: str = "New room"
    messages: str = "Messages"
    message: str = "Message"
    send: str = "Send"
    leave: str = "Leave room"
    invite: str = "Invite"
    members: str = "Members"
    join: str = "Join room"
    settings: str = "Settings"
    forget: str = "Forget me"
    forget_now: str = "Yes, forget me now"
    sign_out: str = "Sign out"
    sign_out_now: str = "Yes, sign out"


ENGLISH = Words()
RUSSIAN = Words(
    nickname="Псевдоним",
    enter="Войти",
    suggest="Предложить псевдоним",
    phrase="Секретная фраза",
    find="Найти или создать комнату",
    open="Открыть",
    own="Ваши комнаты",
    public="Открытые комнаты",
    new_room="Новая комната",
    messages="Сообщения",
    message="Сообщение",
    send="Отправить",
    leave="Выйти из комнаты",
    invite="Пригласить",
    members="Участники",
    join="Войти в комнату",
    settings="Настройки",
    forget="Забыть меня",
    forget_now="Да, забудьте меня",
    sign_out="Выйти",
    sign_out_now="Да, выйти",
)


@dataclass
class Person:
    """One browser of one person, with the tab they look at."""

    nickname: str
    home: str
    context: BrowserContext
    page: Page
    words: Words = field(default_factory=Words)
    forgives: str = ""
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note whatever a browser complains of, and every request that leaves the site."""
        self.context.on("console", self._on_console)
        self.context.on("weberror", self._on_error)
        self.context.on("request", self._on_request)

    def stop_watching(self) -> None:
        """Note nothing of what comes after the story."""
        self.context.remove_listener("console", self._on_console)
        self.context.remove_listener("weberror", self._on_error)
        self.context.remove_listener("request", self._on_request)

    def _on_error(self, error: WebError) -> None:
        self._complain(f"page error: {error.error}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._complain(f"console {message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.home}/", "data:", "blob:")):
            self._complain(f"request to a third party: {request.url}")

    def _complain(self, complaint: str) -> None:
        if not (self.forgives and re.search(self.forgives, complaint)):
            self.complaints.append(f"{self.nickname}: {complaint}")

    # What there is

    def textbox(self, name: str) -> Locator:
        """Find a text box by its name."""
        return self.page.get_by_role("textbox", name=name, exact=True)

    def button(self, name: str) -> Locator:
        """Find a button by its name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def region(self, name: str) -> Locator:
        """Find a region by its name."""
        return self.page.get_by_role("region", name=name, exact=True)

    @property
    def finder(self) -> Locator:
        """The box that finds or creates a room."""
        return self.page.get_by_role("combobox", name=self.words.find, exact=True)

    @property
    def log(self) -> Locator:
        """The messages of the room."""
        return self.page.get_by_role("log", name=self.words.messages, exact=True)

    @property
    def box(self) -> Locator:
        """The box one writes in."""
        return self.textbox(self.words.message)

    @property
    def members(self) -> Locator:
        """The list of members."""
        return self.page.get_by_role("list", name=self.words.members, exact=True)

    @property
    def dialog(self) -> Locator:
        """The dialog that is open."""
        return self.page.get_by_role("dialog")

    def alert(self, text: str) -> Locator:
        """Find what is said about something that was refused."""
        return self.page.get_by_role("alert").filter(has_text=text)

    def own_room(self, name: str) -> Locator:
        """Find a room among one's own."""
        return self._row(self.words.own, name)

    def public_room(self, name: str) -> Locator:
        """Find a room in the public list."""
        return self._row(self.words.public, name)

    def _row(self, region: str, name: str) -> Locator:
        named = self.page.get_by_text(name, exact=True)
        return self.region(region).get_by_role("listitem").filter(has=named)

    def message(self, text: str) -> Locator:
        """Find a message that is stored, by its whole text."""
        whole = self.page.get_by_text(text, exact=True)
        return self.log.locator("[data-key]").filter(has=whole)

    def pending(self, text: str) -> Locator:
        """Find a message that is still on its way."""
        return self.log.locator("[data-pending]").filter(has_text=text)

    # What they do

    async def goes_to(self, path: str) -> None:
        """Type an address of this site."""
        await self.page.goto(f"{self.home}{path}")

    async def comes_in(self, nickname: str = "", *, phrase: str = "") -> None:
        """Come in with a nickname, and arrive in the lobby."""
        await self.goes_to("/login")
        await self.gives(nickname or self.nickname, phrase=phrase)
        await self.is_at("/")

    async def gives(self, nickname: str, *, phrase: str = "") -> None:
        """Fill in the form of the login page and send it."""
        await self.textbox(self.words.nickname).fill(nickname)
        if phrase:
            if not await self.textbox(self.words.phrase).is_visible():
                await self.page.locator("summary").click()
            await self.textbox(self.words.phrase).fill(phrase)
        await self.button(self.words.enter).click()

    async def opens(self, room: str) -> None:
        """Find or create a room from where one is, and be in it."""
        await self.finder.fill(room)
        await self.finder.press("Enter")
        await self.is_in(room)

    async def joins(self) -> None:
        """Join the room that one looks at from outside."""
        await self.button(self.words.join).click()
        await expect(self.box).to_be_visible()

    async def leaves(self) -> None:
        """Leave the room one is in."""
        await self.button(self.words.leave).click()
        await self.is_at("/")

    async def types(self, text: str) -> None:
        """Write without sending."""
        await self.box.fill(text)

    async def sends(self, text: str) -> None:
        """Write and press Enter, whatever becomes of it."""
        await self.box.fill(text)
        await self.box.press("Enter")

    async def says(self, *texts: str) -> None:
        """Post messages, and see each of them stored."""
        for text in texts:
            await self.sends(text)
            await self.sees(text)

    async def opens_settings(self) -> None:
        """Open the dialog about oneself."""
        await self.button(self.words.settings).click()
        await expect(self.dialog).to_be_visible()

    async def asks_to_be_forgotten(self) -> None:
        """Press through to the button that forgets."""
        await self.opens_settings()
        await self.dialog.locator("summary", has_text=self.words.forget).click()
        await self.button(self.words.forget_now).click()

    async def signs_out(self) -> None:
        """Press through to the button that signs this browser out."""
        await self.opens_settings()
        await self.button(self.words.sign_out).click()
        await self.button(self.words.sign_out_now).click()
        await self.is_at("/login")

    async def turns_to(self, page: Page) -> None:
        """Look at another tab."""
        self.page = page
        await page.bring_to_front()

    async def opens_tab(self) -> Page:
        """Open another tab, and look at it."""
        self.page = await self.context.new_page()
        return self.page

    # What they see

    async def is_at(self, path: str) -> None:
        """Arrive at an address of this site."""
        await expect(self.page).to_have_url(f"{self.home}{path}")
        await self.page.wait_for_load_state()

    async def is_in(self, room: str) -> None:
        """See a room that one is a member of."""
        heading = self.page.get_by_role("heading", name=room, exact=True, level=1)
        await expect(heading).to_be_visible()
        await expect(self.box).to_be_visible()

    async def sees(self, text: str) -> None:
        """See one message of this text, stored."""
        await expect(self.message(text)).to_have_count(1)
        await expect(self.message(text)).to_be_visible()

    async def sees_no(self, text: str) -> None:
        """See a message go, or be gone."""
        await expect(
            self.log.locator("[data-key], [data-pending]").filter(has_text=text)
        ).to_have_count(0)

    async def has_heard(self, *texts: str) -> None:
        """See exactly these messages, in this order."""
        await self.eventually(self.hears, list(texts))

    async def hears(self) -> list[str]:
        """Return the text of every stored message on the screen, in order."""
        said: list[str] = await self.log.evaluate(_SAID)
        return said

    async def eventually(self, look: Callable[[], Awaitable[object]], wanted: object) -> None:
        """Look again and again until there is what one wants."""
        seen: object = None
        for _ in range(PATIENCE // 100):
            try:
                seen = await look()
            except Error as error:  # the page was just going
                seen = error
            if seen == wanted:
                return
            await self.page.wait_for_timeout(100)
        assert seen == wanted, f"{self.nickname} sees {seen} instead of {wanted}"

    async def is_connected(self) -> None:
        """Wait until the page hears from the server, and does not say otherwise."""
        await self.page.wait_for_function("window.did_handshake && window.socket.connected")
        await expect(self.page.get_by_role("status")).to_be_hidden()

    async def is_told(self, text: str) -> None:
        """Read an alert."""
        await expect(self.alert(text)).to_be_visible()
