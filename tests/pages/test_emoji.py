"""The emoji that the pages offer."""

import json

import pytest

from anonchat import load_languages
from anonchat.text.emoji import normalize_emoji
from pages.asset_files import ASSETS
from pages.elements.emoji import emoji_properties

_FOLDER = ASSETS / "emoji"


@pytest.mark.parametrize("code", ["en", "ru"])
def test_each_offered_emoji_can_be_a_reaction_and_is_written_as_the_core_writes_it(
    code: str,
) -> None:
    rows = json.loads((_FOLDER / f"{code}.json").read_text())
    assert len(rows) > 1_500
    for emoji, *_ in rows:
        assert normalize_emoji(emoji) == emoji


def test_groups_of_the_data_have_names() -> None:
    rows = json.loads((_FOLDER / "en.json").read_text())
    groups = [group for _, group, *_ in rows]
    assert groups == sorted(groups)
    texts = emoji_properties(load_languages()["en"])["texts"]
    assert isinstance(texts, dict)
    assert {*groups} == {*range(len(texts["groups"]))}
