"""Draws the pictures of the README: a night in the life of a small chat, in a real browser.

What was said earlier is told to the core directly, with a clock that is behind; then the program is
started on the same data, and people come in, each in a browser context of their own.
"""

import asyncio
import os
import socket
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

from anonchat import Chat, Room, Settings, parse_duration  # noqa: E402  # found only by the line above
from tests.chromium import QUIET, find_chromium  # noqa: E402

LAST_WORDS = timedelta(seconds=100)  # so long after the start the oldest message disappears
SHOW_AT = 44  # seconds left on it in the pictures
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 390, "height": 844}
LARGEST = 200_000  # bytes in a picture

ANN, MIRA, TIMUR, JOON, LADA, KIT = "Ann", "Mira", "Тимур", "Joon", "Лада", "Kit"
PHRASES = {TIMUR: "чай в подстаканнике, две ложки"}
NIGHT_TRAIN = "night train"
ROOMS = {  # name: topic, life of a message, who is in, who has it open
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
SAID = (  # so many seconds before the pictures, in this room, this person, this
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
READ_BEFORE = 600  # seconds before the pictures in which Ann last looked into the night train
ANSWER = "next stop 05:40. plenty of hour left"


async def main() -> None:
    for name in [name for name in os.environ if name.startswith("ANONCHAT_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # where no .env lies
        end_of_last_words = datetime.now(UTC) + LAST_WORDS
        pictures_at = end_of_last_words - timedelta(seconds=SHOW_AT)
        addresses, tokens = await tell_the_past(Path(folder), pictures_at, end_of_last_words)
        with running_anonchat(Path(folder)) as site:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=find_chromium(), args=QUIET
                )
                await take_pictures(browser, site, addresses, tokens, pictures_at)
                await browser.close()
        os.chdir(ROOT)
    for path in sorted(HERE.glob("*.png")):
        size = path.stat().st_size
        print(f"{path.relative_to(ROOT)}: {size // 1000} kB")
        if size > LARGEST:
            sys.exit("That picture is too large.")


async def tell_the_past(
    folder: Path, pictures_at: datetime, end_of_last_words: datetime
) -> tuple[dict[str, str], dict[str, str]]:
    """Fill the data folder; return the addresses of the rooms and the tokens of the people."""
    now = pictures_at - timedelta(hours=3)
    chat = Chat(Settings(data_dir=folder), clock=lambda: now)
    await chat.start()
    ids, tokens = {}, {}
    for nickname in (ANN, MIRA, TIMUR, JOON, LADA, KIT):
        phrase = PHRASES.get(nickname, "")
        visitor, tokens[nickname] = await chat.identity.come_in(nickname, phrase=phrase)
        await chat.identity.recognise(tokens[nickname])  # else they are forgotten in ten minutes
        ids[nickname] = visitor.id
    rooms: dict[str, Room] = {}
    for name, (topic, life, members, _) in ROOMS.items():
        rooms[name] = await chat.rooms.create(
            name,
            visitor_id=ids[members[0]],
            message_ttl=parse_duration(life),
            topic=topic,
        )
        for nickname in members:
            await chat.memberships.join(rooms[name].id, visitor_id=ids[nickname])
    last_words = (3600 - SHOW_AT, NIGHT_TRAIN, KIT, "forgot my stop, worth it")
    seqs: dict[str, int] = {}
    for before, name, nickname, text in sorted((*SAID, last_words), reverse=True):
        now = pictures_at - timedelta(seconds=before)
        if before <= READ_BEFORE and (seq := seqs.pop(NIGHT_TRAIN, 0)):
            await chat.memberships.mark_read(rooms[name].id, visitor_id=ids[ANN], seq=seq)
        message = await chat.messages.post(rooms[name].id, visitor_id=ids[nickname], text=text)
        if before > READ_BEFORE:
            seqs[name] = message.seq
    await chat.stop()
    return {name: f"/r/{room.slug}" for name, room in rooms.items()}, tokens


async def take_pictures(
    browser: Browser,
    site: str,
    addresses: dict[str, str],
    tokens: dict[str, str],
    pictures_at: datetime,
) -> None:
    async def open_page(nickname: str, path: str, **options: object) -> Page:
        context = await browser.new_context(
            locale="en-GB", timezone_id=late_evening(), **{"viewport": WIDE, **options}
        )
        cookie = {"name": "anonchat", "value": tokens[nickname], "url": site}
        await context.add_cookies([cookie])
        page = await context.new_page()
        await page.goto(site + path)
        return page

    for name, (_, _, _, present) in ROOMS.items():
        for nickname in present:
            if nickname != ANN:
                others = await open_page(nickname, addresses[name])
                if (name, nickname) == (NIGHT_TRAIN, TIMUR):
                    timur = others
    night_train = addresses[NIGHT_TRAIN]
    room = await open_page(ANN, night_train)
    dark = await open_page(ANN, night_train, color_scheme="dark")
    phone = await open_page(ANN, night_train, viewport=NARROW, has_touch=True, is_mobile=True)
    lobby = await open_page(ANN, "/")
    box = timur.get_by_role("textbox", name="Message")
    await box.fill(ANSWER)
    await box.press("Enter")
    await room.get_by_role("log").get_by_text(ANSWER).wait_for()

    left = (pictures_at - datetime.now(UTC)).total_seconds()
    if left < -SHOW_AT / 2:
        sys.exit("This machine was too slow: the oldest message is gone before its picture.")
    await asyncio.sleep(max(1.5, left))  # the lobby counts once a second
    for name, page in {"room": room, "room-dark": dark, "phone": phone, "lobby": lobby}.items():
        await page.screenshot(path=HERE / f"{name}.png")


def late_evening() -> str:
    """Return a time zone in which it is between eleven and midnight."""
    offset = 23 - datetime.now(UTC).hour
    offset = offset if offset <= 12 else offset - 24
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"


@contextmanager
def running_anonchat(folder: Path) -> Iterator[str]:
    """Run the program on a free port until the end of the block; give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
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
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(300):
        if server.poll() is not None:
            sys.exit("anonchat did not start.")
        try:
            direct.open(f"{site}/readyz", timeout=1).close()
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    sys.exit("anonchat did not become ready.")


if __name__ == "__main__":
    asyncio.run(main())
