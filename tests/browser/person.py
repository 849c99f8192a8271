"""Page object: a user of the browser, their actions and what their page shows."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

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

from tests.timeouts import DEADLINE

SECONDS = 1_000
TIMEOUT = DEADLINE * SECONDS
CONNECTION_ERRORS = r"net::ERR_|WebSocket connection to|Failed to load resource|Failed to fetch"
_MESSAGE_TEXTS = """(log) => [...log.querySelectorAll("[data-key]:not(.going) .text")]
    .map((text) => text.dataset.source || text.textContent)"""

HOLD_NOTICES = """const start = window.setTimeout;
const held = [];
window.setTimeout = (run, delay, ...rest) => {
    const isOfNotice = delay > 4_000 && delay <= 10_000 && delay !== 8_000;
    return isOfNotice ? held.push(run) && 0 : start(run, delay, ...rest);
};
window.endNotices = () => held.splice(0).forEach((run) => run());"""
"""Init script that keeps what is shown for some seconds until `Person.end_notices`: a slow machine
might need longer to reach it."""

expect.set_options(timeout=TIMEOUT)


@dataclass
class Words:
    """Accessible names of the controls in one language."""

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
    actions: str = "Message actions"
    more: str = "More"
    delete: str = "Delete"
    undo: str = "Undo"
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
    actions="Действия с сообщением",
    more="Ещё",
    delete="Удалить",
    undo="Отменить",
    sign_out="Выйти",
    sign_out_now="Да, выйти",
)


@dataclass
class Person:
    """One user with one browser context, and the tab they use."""

    nickname: str
    home: str
    context: BrowserContext
    page: Page
    words: Words = field(default_factory=Words)
    ignored_errors: str = ""
    has_touch: bool = False
    errors: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Record console errors and warnings, page errors, and requests to other sites."""
        self.context.on("console", self._on_console)
        self.context.on("weberror", self._on_error)
        self.context.on("request", self._on_request)

    def stop_recording_errors(self) -> None:
        """Stop recording; called at the end of the test."""
        self.context.remove_listener("console", self._on_console)
        self.context.remove_listener("weberror", self._on_error)
        self.context.remove_listener("request", self._on_request)

    def _on_error(self, error: WebError) -> None:
        self._record_error(f"page error: {error.error}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._record_error(f"console {message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.home}/", "data:", "blob:")):
            self._record_error(f"request to a third party: {request.url}")

    def _record_error(self, error: str) -> None:
        if not (self.ignored_errors and re.search(self.ignored_errors, error)):
            self.errors.append(f"{self.nickname}: {error}")

    @property
    def _origin(self) -> str:
        home = urlsplit(self.home)
        return f"{home.scheme}://{home.netloc}"

    # Locators

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
    def room_search(self) -> Locator:
        """The input that finds or creates a room."""
        return self.page.get_by_role("combobox", name=self.words.find, exact=True)

    @property
    def log(self) -> Locator:
        """The message list of the room."""
        return self.page.get_by_role("log", name=self.words.messages, exact=True)

    @property
    def message_input(self) -> Locator:
        """The message input."""
        return self.textbox(self.words.message)

    @property
    def members(self) -> Locator:
        """The list of members."""
        return self.page.get_by_role("list", name=self.words.members, exact=True)

    @property
    def dialog(self) -> Locator:
        """The open dialog."""
        return self.page.get_by_role("dialog")

    @property
    def menu(self) -> Locator:
        """The open menu of a message."""
        return self.page.get_by_role("menu")

    @property
    def actions(self) -> Locator:
        """The buttons of the actions of a message, where it is pointed at or has the focus."""
        return self.page.get_by_role("group", name=self.words.actions, exact=True)

    def action(self, name: str) -> Locator:
        """Find the button of an action of a message by its name."""
        return self.actions.get_by_role("button", name=name, exact=True)

    def menu_item(self, name: str) -> Locator:
        """Find an action by its name: in the open menu, or beside that of a message."""
        item = self.menu.get_by_role("menuitem", name=name, exact=True)
        return item.or_(self.action(name))

    @property
    def to_latest(self) -> Locator:
        """The button that leads to the newest message, with the number of unseen ones below."""
        return self.page.get_by_role("button", name="To the latest")

    @property
    def to_first_unread(self) -> Locator:
        """The button that leads to the first unseen message, with the number of those above."""
        return self.page.get_by_role("button", name="To the first unread")

    def notice(self, text: str) -> Locator:
        """Find a notice that contains the text."""
        return self.page.get_by_role("status").filter(has_text=text)

    def alert(self, text: str) -> Locator:
        """Find an alert that contains the text."""
        return self.page.get_by_role("alert").filter(has_text=text)

    def own_room(self, name: str) -> Locator:
        """Find a room in the list of own rooms."""
        return self._row(self.words.own, name)

    def public_room(self, name: str) -> Locator:
        """Find a room in the list of public rooms."""
        return self._row(self.words.public, name)

    def _row(self, region: str, name: str) -> Locator:
        named = self.page.get_by_text(name, exact=True)
        return self.region(region).get_by_role("listitem").filter(has=named)

    def message(self, text: str) -> Locator:
        """Find a stored message by its whole text."""
        whole = self.page.get_by_text(text, exact=True)
        return self.log.locator("[data-key]").filter(has=whole)

    def pending(self, text: str) -> Locator:
        """Find a pending message that contains the text."""
        return self.log.locator("[data-pending]").filter(has_text=text)

    # Actions

    async def open_path(self, path: str) -> None:
        """Open a path of the site."""
        await self.page.goto(f"{self.home}{path}")

    async def sign_in(self, nickname: str = "", *, phrase: str = "") -> None:
        """Sign in with a nickname, and wait for the lobby."""
        await self.open_path("/login")
        await self.submit_login(nickname or self.nickname, phrase=phrase)
        await self.expect_path("/")

    async def start_session(self) -> None:
        """Sign in without opening the login page: post its form, as a browser without scripts."""
        response = await self.context.request.post(
            f"{self.home}/session",
            form={"nickname": self.nickname},
            headers={"Origin": self._origin},
            max_redirects=0,
        )
        assert response.status == 303, await response.text()

    async def submit_login(self, nickname: str, *, phrase: str = "") -> None:
        """Fill in the login form and submit it."""
        await self.textbox(self.words.nickname).fill(nickname)
        if phrase:
            if not await self.textbox(self.words.phrase).is_visible():
                await self.page.locator("summary").click()
            await self.textbox(self.words.phrase).fill(phrase)
        await self.button(self.words.enter).click()

    async def open_room(self, room: str) -> None:
        """Find or create a room from the current page, and wait until it is open."""
        await self.room_search.fill(room)
        await self.room_search.press("Enter")
        await self.expect_room(room)

    async def enter_room(self, room: str) -> None:
        """Find or create a room with the API, join it and open its page."""
        cookies = {each["name"]: each["value"] for each in await self.context.cookies(self.home)}
        response = await self.context.request.post(
            f"{self.home}/api/v1/rooms",
            data={"name": room},
            headers={"Origin": self._origin, "Authorization": f"Bearer {cookies['anonchat']}"},
        )
        assert response.ok, await response.text()
        await self.open_path(f"/r/{(await response.json())['slug']}")
        await self.expect_room(room)

    async def join_room(self) -> None:
        """Join the room whose join panel is open."""
        await self.button(self.words.join).click()
        await expect(self.message_input).to_be_visible()

    async def leave_room(self) -> None:
        """Leave the open room, and wait for the lobby."""
        await self.button(self.words.leave).click()
        await self.expect_path("/")

    async def fill_message(self, text: str) -> None:
        """Fill in the message input without sending."""
        await self.message_input.fill(text)

    async def send_message(self, text: str) -> None:
        """Fill in the message input and send, by touch if possible; do not wait for the result."""
        await self.message_input.fill(text)
        if self.has_touch:
            await self.button(self.words.send).tap()
        else:
            await self.message_input.press("Enter")

    async def post_messages(self, *texts: str) -> None:
        """Post messages one by one, and wait until each is stored."""
        for text in texts:
            await self.send_message(text)
            await self.expect_message(text)

    async def open_menu(self, text: str) -> None:
        """Open the menu of a message by its button."""
        await self.show_actions(text)
        await self.action(self.words.more).click()
        await expect(self.menu).to_be_visible()

    async def show_actions(self, text: str) -> None:
        """Show the actions of a message by pointing at it."""
        await self.message(text).hover()
        await expect(self.message(text).get_by_role("group")).to_be_visible()

    async def delete_message(self, text: str) -> None:
        """Delete a message; for the others it stays until the notice ends."""
        await self.show_actions(text)
        await self.action(self.words.delete).click()
        await self.expect_no_message(text)

    async def open_settings(self) -> None:
        """Open the settings dialog."""
        await self.button(self.words.settings).click()
        await expect(self.dialog).to_be_visible()

    async def open_invitation(self) -> None:
        """Open the dialog with the link of the open room."""
        await self.button(self.words.invite).click()
        await expect(self.dialog).to_be_visible()

    async def close_dialog(self) -> None:
        """Close the open dialog by Escape; a key pressed before it is open would do nothing."""
        await expect(self.dialog).to_be_visible()
        await self.page.keyboard.press("Escape")
        await expect(self.dialog).to_be_hidden()

    async def end_notices(self) -> None:
        """End what `HOLD_NOTICES` has kept on the page."""
        await self.page.evaluate("window.endNotices()")

    async def forget_me(self) -> None:
        """Click "Forget me" in the settings and confirm."""
        await self.open_settings()
        await self.dialog.locator("summary", has_text=self.words.forget).click()
        await self.button(self.words.forget_now).click()

    async def sign_out(self) -> None:
        """Click "Sign out" in the settings, confirm, and wait for the login page."""
        await self.open_settings()
        await self.button(self.words.sign_out).click()
        await self.button(self.words.sign_out_now).click()
        await self.expect_path("/login")

    async def switch_to_tab(self, page: Page) -> None:
        """Switch to another tab."""
        self.page = page
        await page.bring_to_front()

    async def open_tab_beside(self) -> Page:
        """Open another tab and switch to it."""
        self.page = await self.context.new_page()
        return self.page

    # Expectations

    async def expect_path(self, path: str) -> None:
        """Wait until the page is at this path and loaded."""
        await expect(self.page).to_have_url(f"{self.home}{path}")
        await self.page.wait_for_load_state()

    async def expect_room(self, room: str) -> None:
        """Wait until the room is open with its message input."""
        heading = self.page.get_by_role("heading", name=room, exact=True, level=1)
        await expect(heading).to_be_visible()
        await expect(self.message_input).to_be_visible()

    async def expect_message(self, text: str) -> None:
        """Wait until exactly one stored message has this text and is visible."""
        await expect(self.message(text)).to_have_count(1)
        await expect(self.message(text)).to_be_visible()

    async def expect_no_message(self, text: str) -> None:
        """Wait until no stored or pending message contains the text."""
        await expect(
            self.log.locator("[data-key], [data-pending]").filter(has_text=text)
        ).to_have_count(0)

    async def expect_messages(self, *texts: str) -> None:
        """Wait until exactly these messages are shown, in this order."""
        await self.expect_eventually(self.message_texts, list(texts))

    async def message_texts(self) -> list[str]:
        """Return the texts of the stored messages on the page as they were typed, in order."""
        texts: list[str] = await self.log.evaluate(_MESSAGE_TEXTS)
        return texts

    async def expect_eventually(
        self, look: Callable[[], Awaitable[object]], wanted: object
    ) -> None:
        """Poll until `look` returns `wanted`; raise `AssertionError` after `TIMEOUT`."""
        seen: object = None
        for _ in range(TIMEOUT // 100):
            try:
                seen = await look()
            except Error as error:  # the page is navigating
                seen = error
            if seen == wanted:
                return
            await self.page.wait_for_timeout(100)
        assert seen == wanted, f"{self.nickname}: got {seen}, expected {wanted}"

    async def expect_connected(self) -> None:
        """Wait until the page is connected and shows no connection status."""
        await self.page.wait_for_function("window.did_handshake && window.socket.connected")
        await expect(self.page.locator(".connection")).to_be_empty()

    async def expect_alert(self, text: str) -> None:
        """Wait until an alert with this text is visible."""
        await expect(self.alert(text)).to_be_visible()
