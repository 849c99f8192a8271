"""What people write is drawn as text, whatever it is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as some

from anonchat import Glance, InvalidMessage, Member, Message, Room
from anonchat.text import tidy_message
from pages.language import load_languages
from pages.rows import card_row, facts_row, hall_row, member_row, message_row, rail_row
from tests.nasty import GOOD_EMOJI, NASTY

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
LANGUAGES = load_languages()
ENGLISH, RUSSIAN = LANGUAGES["en"], LANGUAGES["ru"]
MESSAGE = Message(
    id="m",
    room_id="r",
    seq=7,
    author="abcdef012345678901",
    nickname="Ann",
    badge="",
    text="hello",
    dedup_id="d",
    posted_at=NOW,
    expires_at=NOW + timedelta(hours=1),
)
ROOM = Room(
    id="r",
    slug="night-train",
    name="night train",
    topic="windows",
    listed=True,
    owner="abcdef012345678901",
    message_ttl=timedelta(minutes=10),
    room_ttl=timedelta(days=7),
    created_at=NOW,
    active_at=NOW,
    expires_at=NOW + timedelta(days=7),
    last_seq=7,
)
GLANCE = Glance(ROOM, 2, 5, NOW + timedelta(minutes=5))
MEMBER = Member("r", "v", "abcdef012345678901", "Ann", "", 0)
EVIL = "<img src=x onerror=alert(1)>\"'&amp;{{1}}"


ENDS = ["_", "~", "*", "-", "/", "=", "&", "#", "+", "@", "$", "%20", "é", "日", "मी", "＿"]
"""What may end an address."""
NO_ENDS = [
    *".,;:!?'…‥。．，、！？：；｡､",
    *"؟،؛۔।॥།༎។៕၊။።፣፧፨։՞՜׳״·—–‼⁇᠂᠃꓿꘎꛳߹",
    *"«»‹›„“”‘’‚「」『』【】〔〕《》〈〉（）［］｛｝｢｣﴾﴿༼༽᚛᚜⟨⟩",
    *("?!", "...", ").", "),", "'.", "’。", "」。", "）！"),
]
"""What belongs to the sentence at the end of an address."""
AROUND = [
    "''",
    "()",
    "[]",
    *('（） 「」 『』 【】 《》 〈〉 “” ‘’ «» »« „“ ‹› ［］ ｛｝ ﴾﴿ ༼༽ <> {} ""'.split()),
]
"""What stands around an address."""


class Drawn(HTMLParser):
    """What a browser makes of a row: its elements, their attributes, and its texts by class."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._open: list[str] = []
        self._texts: dict[str, str] = {}
        self.feed(html.encode().decode())  # plain text, which nothing escapes once more
        self.close()
        assert self._open == []

    def text(self, name: str) -> str:
        """Return the text of all elements of this class or tag."""
        return self._texts.get(name, "")

    def of(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of all elements with this tag."""
        return [attributes for name, attributes in self.elements if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        self._open.append(f"{tag} {attributes.get('class', '')}")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().split()[0] == tag

    def handle_data(self, data: str) -> None:
        for name in {name for element in self._open for name in element.split()}:
            self._texts[name] = self._texts.get(name, "") + data


@given(some.text(max_size=200))
def test_a_message_is_shown_letter_by_letter(text: str) -> None:
    try:
        kept = tidy_message(text)
    except InvalidMessage:
        return
    assert Drawn(message_row(replace(MESSAGE, text=kept)).html).text("text") == kept


@pytest.mark.parametrize("name", [*NASTY, *GOOD_EMOJI])
def test_nasty_texts_are_shown_letter_by_letter(name: str) -> None:
    try:
        kept = tidy_message({**NASTY, **GOOD_EMOJI}[name])
    except InvalidMessage:
        return
    drawn = Drawn(message_row(replace(MESSAGE, text=kept)).html)
    assert drawn.text("text") == kept
    assert {tag for tag, _ in drawn.elements} <= {"article", "span", "div", "bdi", "time", "a"}


@given(some.text(alphabet="htps:/.a<>\"' &?#)(]\n", max_size=60))
def test_only_http_becomes_a_link_and_no_letter_is_lost(text: str) -> None:
    drawn = Drawn(message_row(replace(MESSAGE, text=text)).html)
    assert drawn.text("text").replace("\r", "") == text
    for link in drawn.of("a"):
        assert link.keys() == {"href", "target", "rel"}
        assert link["href"].startswith(("http://", "https://"))
        assert link["rel"] == "noopener noreferrer nofollow"


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("https://a.example", ["https://a.example"]),
        ("(see http://a.example/b).", ["http://a.example/b"]),
        ("http://a.example, HTTPS://B.example!", ["http://a.example", "HTTPS://B.example"]),
        ("https:// nothing", []),
        ("javascript:alert(1) data:text/html,x ftp://a.example //a.example a.example", []),
        ('http://a.example/"onclick="x', ["http://a.example/"]),
        ("http://a.example/<b>", ["http://a.example/"]),
        *((f"https://ex.example/@mira{end}", [f"https://ex.example/@mira{end}"]) for end in ENDS),
        *((f"https://ex.example/a{end}", ["https://ex.example/a"]) for end in NO_ENDS),
        *(
            (f"https://ex.example/a{end}然后", ["https://ex.example/a"])
            for end in "，。、！？；：…"
        ),
        *((f"{a}https://ex.example/a{b}", ["https://ex.example/a"]) for a, b in AROUND),
        *((f"{a}https://ex.example/a{b}and", ["https://ex.example/a"]) for a, b in AROUND),
        *((f"{a}见 https://ex.example/a{b}。", ["https://ex.example/a"]) for a, b in AROUND),
        ("https://ex.example/a_(b)_(c).", ["https://ex.example/a_(b)_(c)"]),
        ("(https://ex.example/a_(b))", ["https://ex.example/a_(b)"]),
        ("[https://ex.example/a(b])", ["https://ex.example/a(b"]),
        ("http://[2001:db8::1]:80/a[0]", ["http://[2001:db8::1]:80/a[0]"]),
        ("https://ex.example/a(", ["https://ex.example/a"]),
        ("https://ex.example/O'Neill’s", ["https://ex.example/O'Neill’s"]),
        ("https://例え.example/パス・ス", ["https://例え.example/パス・ス"]),
        ("https://ex.example/a–b?c=,d;e:f!g", ["https://ex.example/a–b?c=,d;e:f!g"]),
        ("https://ex.example/می‌خواهم ok", ["https://ex.example/می‌خواهم"]),
        ("https://ex.example/\u202egpj.exe", ["https://ex.example/"]),
        ("https://ex.example/a\u200bb", ["https://ex.example/a"]),
        (
            "*https://ex.example/a* _https://ex.example/b_",
            [f"https://ex.example/{c}" for c in "ab"],
        ),
        ("**https://ex.example/a_**", ["https://ex.example/a_"]),
        ("https://。 https://... https://（", []),
    ],
)
def test_what_is_a_link(text: str, links: list[str]) -> None:
    drawn = Drawn(message_row(replace(MESSAGE, text=text)).html)
    assert [link["href"] for link in drawn.of("a")] == links
    assert drawn.text("text") == text


def test_a_message_carries_its_times_and_its_place() -> None:
    row = message_row(MESSAGE)
    assert (row.key, row.order) == ("7", 7)
    (article,) = Drawn(row.html).of("article")
    assert article["data-from"] == str(int(NOW.timestamp() * 1000))
    assert article["data-until"] == str(int(MESSAGE.expires_at.timestamp() * 1000))
    assert article["data-group"] == MESSAGE.author


def test_the_colour_of_a_person_comes_from_the_pseudonym_alone() -> None:
    def style(**changes: str) -> str:
        return Drawn(message_row(replace(MESSAGE, **changes)).html).of("article")[0]["style"]

    assert style() == style(nickname="Mira", text="x")
    assert style() != style(author="123456012345678901")


def test_a_badge_is_shown_only_to_those_who_have_one() -> None:
    assert Drawn(message_row(MESSAGE).html).text("badge") == ""
    assert "k7f2q" in Drawn(message_row(replace(MESSAGE, badge="k7f2q")).html).text("badge")


@pytest.mark.parametrize("language", [ENGLISH, RUSSIAN], ids=["en", "ru"])
def test_names_and_topics_are_text_in_every_row(language) -> None:
    room = replace(ROOM, name=EVIL, topic=EVIL)
    glance = replace(GLANCE, room=room)
    rows = [
        message_row(replace(MESSAGE, nickname=EVIL)),
        member_row(replace(MEMBER, nickname=EVIL), present=True, language=language),
        rail_row(glance, language=language),
        card_row(glance, order=0, language=language),
    ]
    for row in rows:
        drawn = Drawn(row.html)
        assert drawn.of("img") == []
        assert EVIL in (drawn.text("who"), drawn.text("bdi"))
    assert EVIL in Drawn(rows[3].html).text("li")


def test_members_who_are_here_come_first_then_by_nickname() -> None:
    def order(nickname: str, *, present: bool) -> object:
        member = replace(MEMBER, nickname=nickname)
        return member_row(member, present=present, language=ENGLISH).order

    people = [("Zoë", True), ("ann", True), ("Bo", False), ("Cy", True)]
    in_order = sorted(people, key=lambda person: order(person[0], present=person[1]))
    assert in_order == [("ann", True), ("Cy", True), ("Zoë", True), ("Bo", False)]
    away = member_row(MEMBER, present=False, language=ENGLISH)
    assert "away" in Drawn(away.html).text("li")


def test_a_card_says_who_is_there_and_how_long_things_live() -> None:
    text = Drawn(card_row(GLANCE, order=0, language=ENGLISH).html).text("li")
    assert "2 here" in text
    assert "10 min" in text
    nobody = replace(GLANCE, here=0)
    assert "nobody" in Drawn(card_row(nobody, order=0, language=ENGLISH).html).text("li")


def test_a_room_of_ones_own_tells_what_is_unread_and_can_be_left() -> None:
    drawn = Drawn(rail_row(GLANCE, language=ENGLISH).html)
    assert drawn.of("li")[0]["data-first"] == "5"
    assert drawn.of("li")[0]["data-last"] == "7"
    assert drawn.of("button")[0]["aria-label"] == "Leave “night train”"
    assert drawn.of("a")[0]["href"] == "/r/night-train"


def test_facts_and_counts_are_drawn_in_the_language_of_the_reader() -> None:
    assert "10" in Drawn(facts_row(GLANCE, language=RUSSIAN).html).text("div")
    assert Drawn(hall_row(1, 1, language=ENGLISH).html).text("span").endswith("1 room")
    assert Drawn(hall_row(5, 2, language=RUSSIAN).html).text("span").endswith("2 комнаты")
