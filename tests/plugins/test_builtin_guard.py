"""The guard that asks before something is posted that identifies somebody."""

import time

import pytest

from anonchat import NeedsConfirmation
from anonchat.plugins import Draft
from anonchat.plugins.builtin import guard
from anonchat.plugins.testing import chat_with

_PHONES = [
    "call me at +49 171 2345678",
    "+7 (912) 345-67-89",
    "8 912 345 67 89",
    "89123456789",
    "(555) 234-5678",
    "555-234-5678",
    "1-800-555-1234",
    "my number is 0171 2345678",
    "06 12 34 56 78",
    "020 7946 0958",
    "call 5552345678",
    "мой телефон 345-67-89",
]
_MAILS = [
    "ann@example.org",
    "write to first.last+tag@mail.example.co.uk please",
]
_CARDS = [
    "4111 1111 1111 1111",
    "5555555555554444",
    "378282246310005",
]
_ADDRESSES = [
    "I live at 12 Baker Street",
    "221B Baker Street",
    "ул. Ленина, д. 5",
    "улица Большая Садовая 302",
    "живу на проспекте Мира, 12",
    "Hauptstraße 5",
    "Lange Gasse 12",
    "5 rue de la Paix",
    "12 bis avenue Foch",
    "Calle Mayor 5",
    "Via Roma 12",
    "SW1A 1AA",
]
_LINKS = [
    "https://example.org/?utm_source=x",
    "https://youtu.be/abc?si=xyz",
    "https://example.org/a?b=1&fbclid=2",
]
_ORDINARY = [
    "4111 1111 1111 1112",
    "the order 5555555555554445",
    "see you at 10:30",
    "it is 2024-01-02 already",
    "2024-01-02 10:30:59",
    "in 1999 and 2001, 2002 and 2003",
    "192.168.178.1",
    "127.0.0.1:8080",
    "3.14159265358979",
    "1 000 000 000 people",
    "10 000 000",
    "1,234,567,890",
    "1.234.567,89 Euro",
    "version 1.22.333.4444",
    "ISBN 978-3-16-148410-0",
    "978-0-306-40615-7",
    "1700000000",
    "the order 1234567812345678",
    "two minutes down the road",
    "10 minutes down the road",
    "it's a 2 way street",
    "5 close friends",
    "I have 3 big drives",
    "I ran 100 laps around the Court",
    "12 Angry Men",
    "100 Years of Solitude",
    "24 Hour Party People",
    "Route 66",
    "The 3 Musketeers",
    "commit 1234567890abcdef",
    "0x1234567890",
    "#1234567890",
    "100 + 200 = 300",
    "1-2-3-4-5-6-7-8-9-10",
    "1 2 3 4 5 6 7 8 9",
    "00:15:23.456",
    "score 21-19 21-15",
    "call me in 10 minutes",
    "call of duty 4 2007",
    "Ruf mich an um 10 Uhr",
    "https://example.org/path/4111111111111111",
    "https://example.org/?q=1&page=2",
    "https://site.example/?sid=5&size=3",
    "@ann hi",
    "a@b",
    "user@host",
    "12:00-13:00 on 24/12/2025",
    "16.11.2025 20:00",
    "2^64 = 18446744073709551616",
    "pi is 3.141592653589793",
    "€ 1 234,56",
    "номер 5",
    "у меня 5 улиц",
    "он живет на улице",
    "дом 5",
    "проспект большой",
    "шоссе 60",
    "120 Hours",
    "B12 deficiency",
    "covid 19 and h5n1",
    "Weg 3",
    "ich bin auf dem Weg 3 Stunden",
    "via Zoom 5 pm",
    "via Roma",
    "Er wohnt Unterweg",
    "0800 is the prefix",
    "007 is back",
    "30 000 people came to Times Square",
    "64 Drive bays",
    "7 Nation Army",
    "what about 11 22 33 44 55",
    "512 1024 2048 4096",
    "04 08 15 16 23 42",
    "4 8 15 16 23 42",
    "1080 1920",
    "8 800 dollars",
    "10.0.0.0/8",
]
_FOUND = {
    "This has a phone number in it.": _PHONES,
    "This has a mail address in it.": _MAILS,
    "This has the number of a payment card in it.": _CARDS,
    "This has a postal address in it.": _ADDRESSES,
    "A link in this tells who shared it, or from where.": _LINKS,
}
_LONG = [
    "1 ",
    "A ",
    "+1",
    "a.",
    "5 Aa Bb ",
    "call ",
    "4",
    "5 rue ",
    "улица А",
    "a@",
    "https://?",
    "0 ",
]


def _warnings(text: str) -> list[str]:
    draft = Draft(text)
    guard.ask(draft)
    return draft.warnings


@pytest.mark.parametrize(
    ("text", "warning"), [(text, warning) for warning, texts in _FOUND.items() for text in texts]
)
def test_identifying_text_is_warned_about_once(text: str, warning: str) -> None:
    assert _warnings(text) == [warning]
    assert _warnings(f"well, {text}, you know") == [warning]


@pytest.mark.parametrize("text", _ORDINARY)
def test_ordinary_text_is_not_warned_about(text: str) -> None:
    assert _warnings(text) == []


@pytest.mark.parametrize("part", _LONG)
def test_work_grows_with_the_length_of_a_text_alone(part: str) -> None:
    short, long = part * (1_000 // len(part)), part * (16_000 // len(part))
    assert _seconds(long) < 64 * max(_seconds(short), 0.0005)


async def test_warned_message_is_posted_when_its_author_confirms() -> None:
    async with chat_with(guard.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        text = "write to ann@example.org, or call +49 171 2345678"
        with pytest.raises(NeedsConfirmation) as asked:
            await ann.say(room, text)
        assert asked.value.details["warnings"] == (
            "This has a mail address in it.",
            "This has a phone number in it.",
        )
        assert await ann.read(room) == []
        await ann.say(room, text, anyway=True)
        assert [each.text for each in await ann.read(room)] == [text]


def _seconds(text: str) -> float:
    """Return the shortest of three times that the guard needs for a text."""
    times = []
    for _ in range(3):
        started = time.process_time()
        _warnings(text)
        times.append(time.process_time() - started)
    return min(times)
