"""Dice."""

import re

import pytest

from anonchat.plugins import Refused
from anonchat.plugins.builtin import dice
from anonchat.plugins.testing import chat_with


@pytest.mark.parametrize(
    ("line", "count", "sides"), [("/roll", 1, 6), ("/roll 5", 5, 6), ("/roll 20 1000", 20, 1000)]
)
async def test_dice_show_what_was_rolled(line: str, count: int, sides: int) -> None:
    async with chat_with(dice.plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        await ann.say(room, line)
        (message,) = await bob.read(room)
        assert message.kind == "dice" and isinstance(message.data, dict)
        rolled = dice.Roll.model_validate(message.data).rolled
        assert len(rolled) == count and all(1 <= each <= sides for each in rolled)
        assert message.text.startswith(f"{count}d{sides}: {' + '.join(map(str, rolled))}")
        drawn = str(chat.host.drawer.draw(message))
        assert re.findall(r'<b class="die">(\d+)</b>', drawn) == [*map(str, rolled)]
        assert (f"= {sum(rolled)}" in drawn) == (count > 1)


@pytest.mark.parametrize("line", ["/roll 0", "/roll 21", "/roll 1 1", "/roll 1 1001", "/roll two"])
async def test_impossible_dice_are_answered_with_the_usage(line: str) -> None:
    async with chat_with(dice.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(Refused, match=re.escape("/roll [times] [sides]")):
            await ann.say(room, line)


def test_every_side_comes_up() -> None:
    posts = [dice.roll(times=20, sides=3) for _ in range(20)]
    rolled = {each for post in posts for each in dice.Roll.model_validate(post.data).rolled}
    assert rolled == {1, 2, 3}
