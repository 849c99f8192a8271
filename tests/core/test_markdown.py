"""Markdown in messages: what it is drawn as, and that nothing else can come of any text."""

from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anonchat.text.markdown import DEPTH_MAX, draw_html, draw_text, find_code
from tests.effort import MOST, effort
from tests.hostile_texts import HOSTILE_TEXTS
from tests.payloads import PAYLOADS

_LINK = 'target="_blank" rel="noopener noreferrer nofollow"'
_ALLOWED = {
    "a": {"href", "title", "target", "rel"},
    "code": {"class"},
    "ol": {"start"},
    "span": {"class"},
    **{tag: set() for tag in "blockquote br del em hr li p pre strong ul".split()},
}
_MESSAGE_SECONDS = 0.005
_PATHOLOGICAL = {
    "emphasis": "*a **b ",
    "emphasis within words": "a**b",
    "underscores": "_a __b ",
    "stars": "*",
    "tildes": "~~a ",
    "stars and tildes": "*~~_",
    "backticks": "".join("`" * number + "a" for number in range(90)),
    "code": "`a`",
    "brackets": "[",
    "links": "[a](",
    "links in links": "[a](https://a.example) ",
    "nested links": "[[a](https://a.example)](",
    "link destinations": "[a](<b",
    "nested parentheses": "[a](b(",
    "images": "![",
    "references": "[a][b]",
    "definitions": "[a]: b\n",
    "footnotes": "[^a]",
    "quotes": ">",
    "quotes and lists": "> - 1. ",
    "lines of quotes": "> a\nb\n",
    "lists": "- ",
    "lines of lists": " - a\n",
    "numbers": "1. ",
    "nested lists": "".join(" " * 2 * depth + "- a\n" for depth in range(60)),
    "headings": "# a\n",
    "underlined headings": "a\n===\n",
    "fences": "```\n",
    "fences with languages": "~~~py\na\n~~~\n",
    "html": "<b>",
    "html blocks": "<div>\n\n",
    "comments": "<!-- a",
    "attributes": '<a b="',
    "declarations": "<!A <![CDATA[ <? ",
    "autolinks": "<https://a.example> ",
    "open autolinks": "<https://a",
    "addresses": "https://a.example/_ ",
    "addresses in emphasis": "*https://a.example/*",
    "references to characters": "&amp;",
    "ampersands": "&",
    "backslashes": "\\",
    "hard line breaks": "a\\\n",
    "bars": "||",
    "spoilers": "||a||",
    "spoilers in emphasis": "||*",
    "escaped bars": "\\|",
    "tables": "|a|b|\n|-|-|\n",
}


class _Parsed(HTMLParser):
    """HTML that is balanced and has only what is allowed; `depth` is of quotes, lists and marks."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.depth = 0
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert dict(attrs).keys() <= _ALLOWED[tag]
        for name, value in attrs:
            self._check(tag, name, value or "")
        if tag not in ("br", "hr"):
            self.open.append(tag)
        nested = [each for each in self.open if each not in ("p", "li", "code", "pre")]
        self.depth = max(self.depth, len(nested))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment

    @staticmethod
    def _check(tag: str, name: str, value: str) -> None:
        if name in ("href", "title"):
            assert value.lower().startswith(("http://", "https://"))
        elif name == "class":
            assert value == "spoiler" if tag == "span" else value.startswith("language-")
        elif name == "start":
            assert value.isdigit()
        else:
            assert value in ("_blank", "noopener noreferrer nofollow")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**bold** and __bold__", "<strong>bold</strong> and <strong>bold</strong>"),
        ("*italic* and _italic_", "<em>italic</em> and <em>italic</em>"),
        ("~~gone~~", "<del>gone</del>"),
        ("`a <b> &amp; *c*`", "<code>a &lt;b&gt; &amp;amp; *c*</code>"),
        ("||secret *x*||", '<span class="spoiler">secret <em>x</em></span>'),
        ("one\n**two**\nthree", "one<br><strong>two</strong><br>three"),
        ("one\ntwo\n\nthree", "one<br>two<br><br>three"),
        ("*one*\n\ntwo", "<p><em>one</em></p><p>two</p>"),
        ("# Title\ntext", "<p><strong>Title</strong></p><p>text</p>"),
        ("> a\n> b\n\nc", "<blockquote><p>a<br>b</p></blockquote><p>c</p>"),
        ("- a\n- b\n  - c", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>"),
        ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("```\n<i>\n```", "<pre><code>&lt;i&gt;</code></pre>"),
        ("```PY x\na = 1\n```", '<pre><code class="language-python">a = 1</code></pre>'),
        ("```onclick\na\n```", "<pre><code>a</code></pre>"),
        ("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
        ("snake_case_name 2 * 3 * 4", "snake_case_name 2 * 3 * 4"),
        (r"\*not\* this", "*not* this"),
        ("    indented", "    indented"),
    ],
)
def test_markdown_is_drawn(text: str, html: str) -> None:
    assert draw_html(text) == html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("[a](https://b.example/_c_(d))", "https://b.example/_c_(d)"),
        ("![a](https://b.example/c.png)", "https://b.example/c.png"),
        ('[a](https://b.example "t")', "https://b.example"),
    ],
)
def test_links_and_images_are_links_that_name_their_address(text: str, html: str) -> None:
    assert draw_html(text) == f'<a href="{html}" title="{html}" {_LINK}>a</a>'


@pytest.mark.parametrize(
    "label",
    ["bank.example", "https://bank.example/", "**bank**.example", "b.ank", "//bank", "银。行"],
)
def test_link_whose_text_looks_like_an_address_shows_the_true_one(label: str) -> None:
    html = draw_html(f"[{label}](https://evil.example)")
    assert html.endswith(f' (<a href="https://evil.example" {_LINK}>https://evil.example</a>)')
    assert html.count("<a") == 1


@pytest.mark.parametrize(
    "text",
    [
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](data:text/html,b)",
        "![a](//evil.example/b.png)",
        "[a](/r/room)",
        "[a]: https://b.example/",
        "&lt;b&gt; &#x202e; &copy;",
        "<b>a</b> <!-- c --> <?d?> <![CDATA[e]]>",
        "<div onclick=a>",
        "<a@b.example>",
        "<javascript:a>",
        "||||",
        "|| a",
        "#",
        ">",
        "-",
        "1.",
        "```",
        "***a",
    ],
)
def test_what_is_no_markdown_of_ours_is_shown_as_typed(text: str) -> None:
    assert _Parsed(draw_html(text)).text == text
    if len(text) > 3:
        assert _Parsed(draw_html(f"{text}\n\n*b*")).text.startswith(text)


@pytest.mark.parametrize(
    "url", ["https://a.example/_b_*c*~d~", "http://[::1]:80/&amp;[e]", "https://a.example/a_(b)_c"]
)
def test_markup_in_an_address_belongs_to_it(url: str) -> None:
    link = f'<a href="{url}" {_LINK}>{url}</a>'
    for before, after in (("", " *x*"), ("**", "** x"), ("<", "> *x*"), ("- ", "\n- x")):
        assert link in unescape(draw_html(before + url + after))
    assert unescape(draw_html(f"`{url}`")) == f"<code>{url}</code>"


def test_spoiler_needs_both_marks_in_one_element() -> None:
    assert "spoiler" not in draw_html("||a\n\nb||")
    assert "spoiler" not in draw_html("**a ||b** c||")
    assert "spoiler" not in draw_html(r"\|\|a\|\|")
    assert "spoiler" not in draw_html("`||a||`")
    assert draw_html("||a|| b ||c||").count("spoiler") == 2


@pytest.mark.parametrize("mark", ["> ", "- ", "1. ", "> - ", "*a **b ", "||*"])
def test_nesting_is_limited_and_keeps_the_text(mark: str) -> None:
    end = "".join({"*a **b ": "***", "||*": "*||"}.get(mark, "") * 20)
    parsed = _Parsed(draw_html(mark * 20 + "deep" + end))
    assert parsed.depth <= DEPTH_MAX
    assert "deep" in parsed.text


def test_code_is_found_with_its_language_if_that_is_known() -> None:
    text = "```js\na &amp; b\n```\n~~~\nc\n~~~\n- ```python\n  d\n  ```\n```cobol\ne\n```"
    assert find_code(text) == [("javascript", "a &amp; b"), ("python", "d")]


def test_parts_outside_of_code_and_links_are_plain() -> None:
    text = "a *b* `c` https://d.example [e](https://f.example)\n```\ng\n```\n||h||"
    plain = [part for part in draw_text(text) if not hasattr(part, "__html__")]
    assert "".join(plain).split() == ["a", "b", "h"]


@given(
    st.lists(
        st.sampled_from([*_PATHOLOGICAL.values(), *PAYLOADS, *HOSTILE_TEXTS.values(), "\n", " "])
        | st.text(max_size=20)
        | st.text("*_~`|[]()<>!#>-+1. \n\\&;:/ahtps\ue000", max_size=60),
        max_size=12,
    )
)
@example(["||[a](https://b.example)||", "\n> ", "*"])
def test_every_text_is_drawn_as_balanced_html_of_the_allowed_tags(pieces: list[str]) -> None:
    assert _Parsed(draw_html("".join(pieces)[:4_000])).depth <= DEPTH_MAX


@given(st.text("ab*_~`|[]<>!#>-+1. \n&;", max_size=80))
def test_no_letter_gets_lost(text: str) -> None:
    def letters(text: str) -> str:
        return "".join(filter(str.isalpha, text))

    drawn = letters(_Parsed(draw_html(text)).text)
    has_language = "```" in text or "~~~" in text  # the word after a fence is not shown
    assert drawn == letters(text) or has_language


@pytest.mark.slow
@pytest.mark.parametrize("name", _PATHOLOGICAL)
def test_pathological_text_is_drawn_quickly(name: str) -> None:
    piece = _PATHOLOGICAL[name]
    for size, most in ((4_000, _MESSAGE_SECONDS), (65_536, MOST)):
        text = (piece * (size // len(piece) + 1))[:size]
        assert effort(lambda text=text: draw_html(text), enough=most) < most, size
