"""What plugins draw of messages; what fails is shown as plain text."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from htpy import b, div
from markupsafe import Markup, escape

from anonchat.plugins import Message, Plugin, PluginSettings
from anonchat.plugins.errors import place_of
from anonchat.plugins.registry import PluginRegistry
from anonchat.plugins.rendering import MessageDrawer
from tests.timeouts import DEADLINE

HOSTILE = '<script>alert("x")</script>'
NOW = datetime(2030, 1, 1, tzinfo=UTC)
MESSAGE = Message("1", "r", 1, "a", "Ann", "", "fallback", "1", NOW, NOW, kind="dice", data=[1, 2])


def drawer_of(plugin: Plugin) -> MessageDrawer:
    return MessageDrawer(PluginRegistry([plugin]))


def draw(function: Callable[..., Any], message: Message = MESSAGE) -> Markup | None:
    plugin = Plugin("mine")
    plugin.renderer("dice")(function)
    return drawer_of(plugin).draw(message)


def mark(text: str, *marks: tuple[str, Callable[..., Any]]) -> str:
    plugin = Plugin("mine")
    for pattern, function in marks:
        plugin.inline(pattern)(function)
    return "".join(escape(part) for part in drawer_of(plugin).mark([text]))


def test_a_message_of_a_kind_is_drawn() -> None:
    def dice(message: Message) -> Any:
        return div(".dice")[(b[str(n)] for n in message.data)]  # type: ignore[union-attr]

    assert draw(dice) == '<div class="dice"><b>1</b><b>2</b></div>'
    assert draw(dice, replace(MESSAGE, kind="coin")) is None
    assert draw(dice, replace(MESSAGE, kind="")) is None


@pytest.mark.parametrize("wrap", [str, lambda text: div[text], lambda text: div(title=text)])
def test_hostile_data_is_escaped(wrap: Callable[[str], Any]) -> None:
    def dice(message: Message) -> Any:
        return wrap(f"{message.data}")

    html = draw(dice, replace(MESSAGE, data=HOSTILE))
    assert html is not None
    assert "<script" not in html


@pytest.mark.parametrize(
    "pattern",
    [r"(\w)\1", r"(?P<twin>\w)(?P=twin)", r"(?i)OO", r"(?<=p)(*PRUNE)oo", "(?r)oo", "o{2}"],
)
@pytest.mark.parametrize("other", [":never:", "(n)ever", "(?i)NEVER"])
def test_marks_of_any_pattern_are_found_beside_others(pattern: str, other: str) -> None:
    found = (pattern, lambda match: "00")
    beside = (other, lambda match: "P")
    assert mark("pool", found, beside) == mark("pool", beside, found) == "p00l"
    assert mark("<pot>", found) == "&lt;pot&gt;"


def fail(message: Message) -> str:
    raise RuntimeError(message.text)


def draw_nothing(message: Message) -> None: ...


def draw_number(message: Message) -> int:
    return 5


def draw_lazily(message: Message) -> Any:
    return div[(str(1 / n) for n in (1, 0))]


def draw_much(message: Message) -> str:
    return "x" * 65_537


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (fail, "plugin mine: renderer of dice failed in test_rendering.py, line "),
        (
            draw_nothing,
            f"plugin mine ({__file__}, line {place_of(draw_nothing)[1]}): draw_nothing ",
        ),
        (
            draw_number,
            f"plugin mine ({__file__}, line {place_of(draw_number)[1]}): draw_number returned "
            "neither an element nor a text, but a value of the type int",
        ),
        (draw_lazily, "plugin mine: renderer of dice failed in test_rendering.py, line "),
        (draw_much, "plugin mine: renderer of dice drew more than 64 kB"),
    ],
)
def test_a_renderer_that_fails_is_logged_and_the_text_is_shown(
    function: Callable[..., Any], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert draw(function) is None
    (message,) = caplog.messages
    assert message.startswith(line)
    assert MESSAGE.text not in message


class Faces(PluginSettings):
    tada: str = "🎉"


def test_inline_marks_replace_what_they_find() -> None:
    plugin = Plugin("faces", settings=Faces)

    @plugin.inline(":tada:")
    def tada(match: Any, settings: Faces) -> str:
        return settings.tada

    @plugin.inline(r"\*(\w+)\*")
    def bold(match: Any) -> Any:
        return b[match[1]]

    marked = "".join(escape(part) for part in drawer_of(plugin).mark(["a *b* :tada: <c>", "*d*"]))
    assert marked == "a <b>b</b> 🎉 &lt;c&gt;<b>d</b>"


def test_marks_do_not_search_in_what_others_drew() -> None:
    assert mark("*x* x", (r"\*(\w+)\*", lambda match: b[match[1]]), ("b|x", lambda match: "y")) == (
        "<b>x</b> y"
    )


def test_html_among_the_texts_stays() -> None:
    plugin = Plugin("mine")
    plugin.inline("a")(lambda match: "b")
    parts = [*drawer_of(plugin).mark([Markup('<a href="/a">'), "a & <a>", Markup("</a>")])]
    assert "".join(escape(part) for part in parts) == '<a href="/a">b &amp; &lt;b&gt;</a>'


def test_hostile_matches_are_escaped() -> None:
    assert "<script" not in mark(HOSTILE, ("<script>", lambda match: match[0]))
    assert "<script" not in mark(HOSTILE, ("alert", fail))


def test_a_mark_that_fails_leaves_the_text(caplog: pytest.LogCaptureFixture) -> None:
    def fail_at_two(match: Any) -> str:
        return {"1": "one"}[match[0]]

    assert mark("1 2 1", (r"\d", fail_at_two)) == "one 2 one"
    assert caplog.messages[0].startswith("plugin mine: inline mark fail_at_two failed in test_rend")


def test_empty_matches_are_skipped_and_the_number_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("anonchat.plugins.rendering.SEARCH_SECONDS", DEADLINE)
    assert mark("abc", ("x*", lambda match: "y")) == "abc"
    assert mark("a" * 300, ("a", lambda match: "b")) == "b" * 200 + "a" * 100


def test_an_endless_search_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    text = "a" * 40 + "b"
    assert mark(text, (r"^(a|aa|a.)+c$|^(\w|\w\w)+!", lambda match: "!")) == text
    assert "plugin mine: inline mark <lambda> searched for too long" in caplog.messages


def test_slow_searches_of_many_texts_are_stopped_together(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[float] = []

    class SlowPattern:
        def search(self, _text: str, *, timeout: float) -> None:
            searched.append(timeout)
            time.sleep(0.005)

    drawer = drawer_of(Plugin("mine"))
    monkeypatch.setattr(drawer._scan, "_pattern", SlowPattern())
    assert "".join(drawer.mark(["a"] * 100)) == "a" * 100
    assert len(searched) <= 4
    assert searched == sorted(searched, reverse=True)


def test_one_that_blocks_is_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    def slow(message: Message) -> str:
        end = datetime.now().timestamp() + 0.15
        while datetime.now().timestamp() < end:
            pass
        return "done"

    assert draw(slow) == "done"
    assert caplog.messages[0].startswith("plugin mine: renderer of dice blocked all visitors for ")


def test_the_match_of_a_mark_may_have_any_name() -> None:
    assert mark("a", ("a", lambda what: f"{what[0]}!")) == "a!"
