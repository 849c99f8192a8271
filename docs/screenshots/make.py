"""Take the screenshots of the README: a small chat with sample rooms, in a real browser.

Earlier messages are stored through `Chat` with a clock in the past. Then the server is started on
the same data, and each visitor opens pages in a browser context of their own.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from anonchat import Chat, Room, Settings, parse_duration  # noqa: E402  # needs ROOT in sys.path
from tests.chromium import QUIET, find_chromium  # noqa: E402
from tests.fakes import FakeClock  # noqa: E402
from tools.ports import free_port  # noqa: E402

OLDEST_MESSAGE_TTL = timedelta(seconds=100)  # from the start until the oldest message expires
SECONDS_LEFT = 44  # on the oldest message in the screenshots
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 830}
SIZE_MAX = 200_000  # bytes per screenshot

ANN, MIRA, TIMUR, JOON, LADA, KIT = "Ann", "Mira", "Тимур", "Joon", "Лада", "Kit"
PHRASES = {TIMUR: "чай в подстаканнике, две ложки"}
NIGHT_TRAIN = "night train"
ROOMS = {  # name: topic, message_ttl, members, members who have it open
    NIGHT_TRAIN: (
        "Anything that keeps you awake tonight",
        "1h",
        (ANN, KIT, MIRA, TIMUR, JOON, LADA),
        (ANN, MIRA, TIMUR, JOON, LADA),
    ),
    "кухня в три ночи": (
        "Остывший чай и разговоры без темы",
        "10m",
        (ANN, LADA, TIMUR, MIRA),
        (LADA, TIMUR, MIRA),
    ),
    "thesis panic": ("Word counts, tears, biscuits", "24h", (ANN, JOON, KIT), (JOON,)),
    "book swap": ("I have Lem, I want Le Guin", "7d", (ANN, KIT), ()),
    "plants that survived me": ("A short list", "7d", (MIRA, KIT), (MIRA,)),
    "accordion, week two": ("The neighbours know", "24h", (JOON,), ()),
    "потерянные зонты": ("Найденные тоже считаются", "24h", (LADA, TIMUR), (TIMUR,)),
    "one minute": ("Say it and it is gone", "1m", (KIT,), ()),
}
MESSAGES = (  # seconds before the screenshots, room, author, text
    (7000, "book swap", KIT, "The Dispossessed, some coffee on page 40. For any Lem."),
    (5400, "accordion, week two", JOON, "C major. Only C major."),
    (4000, "plants that survived me", MIRA, "Ficus, eleven years. It frightens me by now."),
    (3700, "потерянные зонты", LADA, "синий, в электричке, ручка из дерева"),
    (3300, "thesis panic", JOON, "9,400 words. Half of them are “however”."),
    (2400, NIGHT_TRAIN, MIRA, "does anyone else hear the rain on the roof of the last carriage?"),
    (2210, NIGHT_TRAIN, TIMUR, "слышу. и чайник у проводницы"),
    (2150, NIGHT_TRAIN, TIMUR, "it is the best sound there is, honestly"),
    (1500, NIGHT_TRAIN, ANN, "somebody in my carriage is asleep with the book still open"),
    (900, "thesis panic", KIT, "Then however is your argument now."),
    (500, NIGHT_TRAIN, JOON, "I wrote the letter. Not sending it. I only want someone to know it."),
    (380, NIGHT_TRAIN, LADA, "then it exists now, for us, for an hour"),
    (300, "кухня в три ночи", LADA, "чайник опять выкипел"),
    (270, "кухня в три ночи", TIMUR, "третий раз за ночь. это рекорд?"),
    (200, "кухня в три ночи", MIRA, "is there a cup left for somebody who only reads this?"),
    (150, "кухня в три ночи", LADA, "две. и варенье"),
    (120, NIGHT_TRAIN, MIRA, "Лада, that should be painted above the door"),
)
ANN_READ_AT = 600  # seconds before the screenshots when Ann last read the night train
REPLY = "next stop 05:40. plenty of hour left"


async def main() -> None:
    for name in [name for name in os.environ if name.startswith("ANONCHAT_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # contains no .env file
        screenshots_at = datetime.now(UTC) + OLDEST_MESSAGE_TTL - timedelta(seconds=SECONDS_LEFT)
        paths, tokens = await store_history(Path(folder), screenshots_at)
        with running_server(Path(folder)) as site:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=find_chromium(), args=QUIET
                )
                await take_screenshots(browser, site, paths, tokens, screenshots_at)
                await browser.close()
        os.chdir(ROOT)
    for path in sorted(HERE.glob("*.png")):
        size = path.stat().st_size
        print(f"{path.relative_to(ROOT)}: {size // 1000} kB")
        if size > SIZE_MAX:
            sys.exit("The screenshot is too large.")


async def store_history(
    folder: Path, screenshots_at: datetime
) -> tuple[dict[str, str], dict[str, str]]:
    """Fill the data folder; return the path of each room and the token of each visitor."""
    clock = FakeClock()
    clock.now = screenshots_at - timedelta(hours=3)
    chat = Chat(Settings(data_dir=folder), clock=clock)
    await chat.start()
    ids, tokens = {}, {}
    for nickname in (ANN, MIRA, TIMUR, JOON, LADA, KIT):
        phrase = PHRASES.get(nickname, "")
        visitor, tokens[nickname] = await chat.identity.sign_in(nickname, phrase=phrase)
        # An unconfirmed visitor would be deleted after ten minutes.
        await chat.identity.authenticate(tokens[nickname])
        ids[nickname] = visitor.id
    rooms: dict[str, Room] = {}
    for name, (topic, message_ttl, members, _) in ROOMS.items():
        rooms[name] = await chat.rooms.create(
            name,
            visitor_id=ids[members[0]],
            message_ttl=parse_duration(message_ttl),
            topic=topic,
        )
        for nickname in members:
            await chat.memberships.join(rooms[name].id, visitor_id=ids[nickname])
    oldest_message = (3600 - SECONDS_LEFT, NIGHT_TRAIN, KIT, "forgot my stop, worth it")
    seqs: dict[str, int] = {}
    for age, name, nickname, text in sorted((*MESSAGES, oldest_message), reverse=True):
        clock.now = screenshots_at - timedelta(seconds=age)
        if age <= ANN_READ_AT and (seq := seqs.pop(NIGHT_TRAIN, 0)):
            await chat.memberships.mark_read(rooms[name].id, visitor_id=ids[ANN], seq=seq)
        message = await chat.messages.post(rooms[name].id, visitor_id=ids[nickname], text=text)
        if age > ANN_READ_AT:
            seqs[name] = message.seq
    await chat.stop()
    return {name: f"/r/{room.slug}" for name, room in rooms.items()}, tokens


async def take_screenshots(
    browser: Browser,
    site: str,
    paths: dict[str, str],
    tokens: dict[str, str],
    screenshots_at: datetime,
) -> None:
    async def open_page(nickname: str, path: str, **options: object) -> Page:
        context = await browser.new_context(
            locale="en-GB", timezone_id=late_evening_time_zone(), **{"viewport": DESKTOP, **options}
        )
        cookie = {"name": "anonchat", "value": tokens[nickname], "url": site}
        await context.add_cookies([cookie])
        page = await context.new_page()
        await page.goto(site + path)
        return page

    for name, (_, _, _, present) in ROOMS.items():
        for nickname in present:
            if nickname != ANN:
                page = await open_page(nickname, paths[name])
                if (name, nickname) == (NIGHT_TRAIN, TIMUR):
                    timur = page
    night_train = paths[NIGHT_TRAIN]
    room = await open_page(ANN, night_train)
    dark = await open_page(ANN, night_train, color_scheme="dark")
    phone = await open_page(ANN, night_train, viewport=PHONE, has_touch=True, is_mobile=True)
    lobby = await open_page(ANN, "/")
    box = timur.get_by_role("textbox", name="Message")
    await box.fill(REPLY)
    await box.press("Enter")
    await room.get_by_role("log").get_by_text(REPLY).wait_for()

    delay = (screenshots_at - datetime.now(UTC)).total_seconds()
    if delay < -SECONDS_LEFT / 2:
        sys.exit("This machine is too slow: the oldest message expired before its screenshot.")
    await asyncio.sleep(max(1.5, delay))  # the lobby counts are updated once a second
    for name, page in {"room": room, "room-dark": dark, "phone": phone, "lobby": lobby}.items():
        await page.screenshot(path=HERE / f"{name}.png")


def late_evening_time_zone() -> str:
    """Return a time zone in which the time is between 23:00 and midnight."""
    offset = 23 - datetime.now(UTC).hour
    offset = offset if offset <= 12 else offset - 24
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"


@contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """Run the server on a free port; yield its URL."""
    port = free_port()
    environment = os.environ | {"ANONCHAT_PORT": str(port), "ANONCHAT_DATA_DIR": str(folder)}
    server = subprocess.Popen([sys.executable, ROOT / "main.py"], env=environment)
    try:
        site = f"http://127.0.0.1:{port}"
        wait_until_ready(site, server)
        yield site
    finally:
        server.terminate()
        server.wait(timeout=20)


def wait_until_ready(site: str, server: subprocess.Popen[bytes]) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(300):
        if server.poll() is not None:
            sys.exit("anonchat did not start.")
        try:
            opener.open(f"{site}/readyz", timeout=1).close()
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    sys.exit("anonchat did not become ready.")


if __name__ == "__main__":
    asyncio.run(main())
