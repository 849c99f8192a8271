"""Parsing and formatting of durations."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat import format_duration, parse_duration


@given(seconds=st.integers(1, 100 * 365 * 86_400))
def test_formatted_duration_parses_to_the_same_duration(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


@given(text=st.from_regex(r"[1-9][0-9]{0,3}[smhd]", fullmatch=True))
def test_parsed_duration_keeps_its_value_when_formatted(text: str) -> None:
    assert parse_duration(format_duration(parse_duration(text))) == parse_duration(text)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("24h", timedelta(days=1)),
        (" 7d ", timedelta(days=7)),
    ],
)
def test_documented_duration_forms_are_parsed(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(hours=24), "1d"),
        (timedelta(minutes=90), "90m"),
        (timedelta(seconds=90), "90s"),
        (timedelta(), "0s"),
    ],
)
def test_duration_is_formatted_in_the_largest_whole_unit(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@given(text=st.text())
def test_any_text_is_parsed_or_rejected(text: str) -> None:
    try:
        assert parse_duration(text) > timedelta()
    except ValueError as error:
        assert "duration" in str(error)


@pytest.mark.parametrize("text", ["", "5", "0s", "-5m", "1.5h", "1w", "1h30m", "٣s", "999999999d"])
def test_invalid_duration_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)
