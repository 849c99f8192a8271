"""Rows: visitor texts are escaped, links are found, and every field is shown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from htpy import b, div
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from anonchat import (
    COLORS,
    InvalidMessage,
    Member,
    Message,
    Reaction,
    Room,
    RoomSummary,
    color_of,
    is_marked,
    load_languages,
)
from anonchat.text.normalization import normalize_message
from pages.rows import (
    card_row,
    facts_row,
    lobby_counts_row,
    member_row,
    message_row,
    opened_html,
    sidebar_row,
    title_row,
)
from pages.rows.person import hue
from pages.rows.row import unix_milliseconds
from pages.rows.template import Template
from tests.hostile_texts import HOSTILE_TEXTS, VALID_EMOJI

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
ROOM_SUMMARY = RoomSummary(ROOM, 2, 5, NOW + timedelta(minutes=5))
MEMBER = Member("r", "v", "abcdef012345678901", "Ann", "", 0)
HOSTILE = "<img src=x onerror=alert(1)>\"'&amp;{{1}}"


def test_template_escapes_everything_but_html() -> None:
    template = Template(div(class_="{kind}")[b["{name}"], "{more}"])
    html = template.fill(kind='"><i>', name="<i>{more}</i>", more=Markup("<hr>"))
    assert html == ('<div class="&#34;&gt;&lt;i&gt;"><b>&lt;i&gt;{more}&lt;/i&gt;</b><hr></div>')


def test_template_refuses_to_leave_a_place_empty() -> None:
    with pytest.raises(KeyError, match="name"):
        Template(b["{name}"]).fill(nickname="Ann")


URL_ENDS = ["_", "~", "*", "-", "/", "=", "&", "#", "+", "@", "$", "%20", "é", "日", "मी", "＿"]
"""Characters that may end a URL."""
TRAILING_PUNCTUATION = [
    *".,;:!?'…‥。．，、！？：；｡､",
    *"؟،؛۔।॥།༎។៕၊။።፣፧፨։՞՜׳״·—–‼⁇᠂᠃꓿꘎꛳߹",
    *"«»‹›„“”‘’‚「」『』【】〔〕《》〈〉（）［］｛｝｢｣﴾﴿༼༽᚛᚜⟨⟩",
    *("?!", "...", ").", "),", "'.", "’。", "」。", "）！"),
]
"""Punctuation after a URL that does not belong to it."""
ENCLOSING = [
    "''",
    "()",
    "[]",
    *('❝❞ ❛❜ （） 「」 『』 【】 《》 〈〉 “” ‘’ «» »« „“ ‹› ［］ ｛｝ ﴾﴿ ༼༽ <> {} ""'.split()),
]
"""Pairs of characters that may enclose a URL."""


class ParsedRow(HTMLParser):
    """A row as a browser parses it: elements with attributes, and texts by class."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._open: list[str] = []
        self._texts: dict[str, str] = {}
        self.feed(html.encode().decode())  # as plain `str`, so that `Markup` escapes nothing again
        self.close()
        assert self._open == []

    def text(self, name: str) -> str:
        """Return the text of all elements of this class or tag."""
        return self._texts.get(name, "")

    @property
    def source(self) -> str:
        """The text as it was typed, if it is drawn otherwise."""
        return next(each["data-source"] for _, each in self.elements if "data-source" in each)

    def of(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of all elements with this tag."""
        return [attributes for name, attributes in self.elements if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag == "hr":
            return
        self._open.append(f"{tag} {attributes.get('class', '')}")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().split()[0] == tag

    def handle_data(self, data: str) -> None:
        for name in {name for element in self._open for name in element.split()}:
            self._texts[name] = self._texts.get(name, "") + data


@given(st.text(max_size=200))
def test_message_text_is_shown_unchanged(text: str) -> None:
    try:
        normalized = normalize_message(text)
    except InvalidMessage:
        return
    parsed = ParsedRow(message_row(replace(MESSAGE, text=normalized)).html)
    if not is_marked(normalized):
        assert parsed.text("text") == normalized
    assert parsed.source == (normalized if is_marked(normalized) else "")


@pytest.mark.parametrize("text", [*VALID_EMOJI.values(), "🎉", "🎉 🎉", "👨‍👩‍👦👨‍👩‍👦👨‍👩‍👦"])
def test_message_of_up_to_three_emoji_is_large(text: str) -> None:
    assert 'class="text emoji"' in message_row(replace(MESSAGE, text=text)).html


@pytest.mark.parametrize("text", ["🎉🎉🎉🎉", "7", "123", "#", "©", "🎉!", "well 🎉", "❤", "hello"])
def test_message_of_anything_else_is_not_large(text: str) -> None:
    assert 'class="text emoji"' not in message_row(replace(MESSAGE, text=text)).html


@pytest.mark.parametrize("name", [*HOSTILE_TEXTS, *VALID_EMOJI])
def test_hostile_texts_are_shown_unchanged(name: str) -> None:
    try:
        normalized = normalize_message({**HOSTILE_TEXTS, **VALID_EMOJI}[name])
    except InvalidMessage:
        return
    parsed = ParsedRow(message_row(replace(MESSAGE, text=normalized)).html)
    if is_marked(normalized):
        assert parsed.source == normalized
        return
    assert parsed.text("text") == normalized
    assert {tag for tag, _ in parsed.elements} <= {"article", "span", "div", "bdi", "time", "a"}


@given(st.text(alphabet="htps:/.a<>\"' &?)(]\n", max_size=60))
def test_only_http_urls_become_links_and_no_text_is_lost(text: str) -> None:
    parsed = ParsedRow(message_row(replace(MESSAGE, text=text)).html)
    if not is_marked(text):  # a quote
        assert parsed.text("text").replace("\r", "") == text
    for link in parsed.of("a"):
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
        *(
            (f"https://ex.example/@mira{end}", [f"https://ex.example/@mira{end}"])
            for end in URL_ENDS
        ),
        *((f"https://ex.example/a{end}", ["https://ex.example/a"]) for end in TRAILING_PUNCTUATION),
        *(
            (f"https://ex.example/a{end}然后", ["https://ex.example/a"])
            for end in ("——", "⸺", *"，。、！？；：…")
        ),
        *((f"{a}https://ex.example/a{b}", ["https://ex.example/a"]) for a, b in ENCLOSING),
        *((f"{a}https://ex.example/a{b}and", ["https://ex.example/a"]) for a, b in ENCLOSING),
        *((f"{a}见 https://ex.example/a{b}。", ["https://ex.example/a"]) for a, b in ENCLOSING),
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
        ("https://。 https://... https://（", []),
    ],
)
def test_links_are_found_in_text(text: str, links: list[str]) -> None:
    parsed = ParsedRow(message_row(replace(MESSAGE, text=text)).html)
    assert [link["href"] for link in parsed.of("a")] == links
    assert parsed.text("text") == text


def test_message_row_carries_its_times_and_its_order() -> None:
    row = message_row(MESSAGE)
    assert (row.key, row.order) == ("7", 7)
    (article,) = ParsedRow(row.html).of("article")
    assert article["data-from"] == str(int(NOW.timestamp() * 1000))
    assert article["data-until"] == str(int(MESSAGE.expires_at.timestamp() * 1000))
    assert article["data-group"] == MESSAGE.author


def test_message_colour_depends_only_on_the_author_pseudonym() -> None:
    def style(**changes: str) -> str:
        return ParsedRow(message_row(replace(MESSAGE, **changes)).html).of("article")[0]["style"]

    assert style() == style(nickname="Mira", text="x")
    assert style() != style(author="123456012345678901")


def test_badge_is_shown_only_if_the_author_has_one() -> None:
    assert ParsedRow(message_row(MESSAGE).html).text("badge") == ""
    assert "k7f2q" in ParsedRow(message_row(replace(MESSAGE, badge="k7f2q")).html).text("badge")


@pytest.mark.parametrize("language", [ENGLISH, RUSSIAN], ids=["en", "ru"])
def test_names_and_topics_are_escaped_in_every_row(language) -> None:
    room = replace(ROOM, name=HOSTILE, topic=HOSTILE)
    summary = replace(ROOM_SUMMARY, room=room)
    rows = [
        message_row(replace(MESSAGE, nickname=HOSTILE)),
        member_row(replace(MEMBER, nickname=HOSTILE), present=True, language=language),
        sidebar_row(summary, language=language),
        card_row(summary, order=0, language=language),
    ]
    for row in rows:
        parsed = ParsedRow(row.html)
        assert parsed.of("img") == []
        assert HOSTILE in (parsed.text("who"), parsed.text("bdi"))
    assert HOSTILE in ParsedRow(rows[3].html).text("li")


def test_members_are_ordered_by_presence_then_nickname() -> None:
    def order(nickname: str, *, present: bool) -> object:
        member = replace(MEMBER, nickname=nickname)
        return member_row(member, present=present, language=ENGLISH).order

    people = [("Zoë", True), ("ann", True), ("Bo", False), ("Cy", True)]
    in_order = sorted(people, key=lambda person: order(person[0], present=person[1]))
    assert in_order == [("ann", True), ("Cy", True), ("Zoë", True), ("Bo", False)]
    absent = member_row(MEMBER, present=False, language=ENGLISH)
    assert "away" in ParsedRow(absent.html).text("li")


def test_room_card_shows_presence_and_message_lifetime() -> None:
    text = ParsedRow(card_row(ROOM_SUMMARY, order=0, language=ENGLISH).html).text("li")
    assert "2 here" in text
    assert "10 min" in text
    empty = replace(ROOM_SUMMARY, here=0)
    assert "nobody" in ParsedRow(card_row(empty, order=0, language=ENGLISH).html).text("li")


def test_sidebar_row_shows_unread_range_and_leave_button() -> None:
    summary = replace(ROOM_SUMMARY, last_expiry=NOW)
    parsed = ParsedRow(sidebar_row(summary, language=ENGLISH).html)
    assert parsed.of("li")[0]["data-first"] == "5"
    assert parsed.of("li")[0]["data-last"] == "7"
    assert parsed.of("li")[0]["data-last-until"] == unix_milliseconds(NOW)
    assert parsed.of("button")[0]["aria-label"] == "Leave “night train”"
    assert parsed.of("a")[0]["href"] == "r/night-train"


def test_title_shows_name_and_topic_as_text() -> None:
    parsed = ParsedRow(title_row(replace(ROOM, name=HOSTILE, topic=HOSTILE)).html)
    assert (parsed.text("h1"), parsed.text("topic")) == (HOSTILE, HOSTILE)
    assert {tag for tag, _ in parsed.elements} == {"div", "h1", "bdi", "p"}
    assert not ParsedRow(title_row(replace(ROOM, topic="")).html).of("p")


def test_facts_and_counts_are_in_the_language_of_the_reader() -> None:
    assert "10" in ParsedRow(facts_row(ROOM_SUMMARY, language=RUSSIAN).html).text("div")
    assert ParsedRow(lobby_counts_row(1, 1, language=ENGLISH).html).text("span").endswith("1 room")
    assert (
        ParsedRow(lobby_counts_row(5, 2, language=RUSSIAN).html).text("span").endswith("2 комнаты")
    )


def test_colours_of_a_room_have_different_hues() -> None:
    authors = [f"{number:06x}123456789012" for number in range(COLORS)]
    assert {color_of(author) for author in authors} == set(range(COLORS))
    assert len({hue(author) for author in authors}) == COLORS


def test_message_row_says_what_it_answers_and_mentions() -> None:
    html = message_row(replace(MESSAGE, reply_to="other", mentions=("a1", "b2"))).html
    assert 'data-reply="other"' in html
    assert 'data-mentions="a1 b2"' in html
    assert "data-reply" not in message_row(MESSAGE).html


def test_message_row_is_marked_as_edited() -> None:
    edited = message_row(replace(MESSAGE, edited=True, revision=1)).html
    assert 'class="edited"' in edited
    assert 'class="edited"' not in message_row(MESSAGE).html


def test_message_row_counts_reactions_and_names_their_authors() -> None:
    reactions = (Reaction("👍", ("a1", "b2")), Reaction("<b>", ("a1",)))
    html = message_row(replace(MESSAGE, reactions=reactions, revision=1)).html
    assert ">👍 2</button>" in html
    assert 'data-authors="a1 b2"' in html
    assert ">&lt;b&gt; 1</button>" in html


def test_row_of_a_message_to_be_opened_once_names_its_readers() -> None:
    once = replace(MESSAGE, once=True, text="", readers=("a1", "b2"), openers=("c3",))
    html = message_row(once).html
    assert 'data-readers="a1 b2"' in html
    assert 'data-openers="c3"' in html
    assert 'class="once"' not in message_row(MESSAGE).html


def test_opened_text_is_escaped_and_drawn_as_markdown() -> None:
    assert "<strong>bold</strong> &lt;b&gt;" in opened_html("**bold** <b>")
    assert opened_html("a &").endswith(">a &amp;</div>")
