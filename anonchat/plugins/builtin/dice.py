"""Dice: `/roll`, `/roll 2`, `/roll 3 20`."""

from random import SystemRandom
from typing import Annotated

from htpy import Element, b, small, span
from pydantic import BaseModel, Field

from anonchat.plugins import Message, Plugin, Post

plugin = Plugin("dice", css="dice.css")

_random = SystemRandom()


class Roll(BaseModel):
    """What was rolled with dice of so many sides."""

    sides: int
    rolled: list[int]

    def __str__(self) -> str:
        """Write it as players do: `2d6: 3 + 4 = 7`."""
        total = f" = {sum(self.rolled)}" if len(self.rolled) > 1 else ""
        return f"{len(self.rolled)}d{self.sides}: {' + '.join(map(str, self.rolled))}{total}"


@plugin.command(cooldown="2s")
def roll(
    times: Annotated[int, Field(ge=1, le=20)] = 1,
    sides: Annotated[int, Field(ge=2, le=1000)] = 6,
) -> Post:
    """Roll dice: /roll 2 rolls two, /roll 1 20 one of twenty sides."""
    rolled = Roll(sides=sides, rolled=[_random.randint(1, sides) for _ in range(times)])
    return Post(str(rolled), kind="dice", data=rolled.model_dump())


@plugin.renderer("dice")
def draw(message: Message) -> Element:
    """Draw a square for each die, and their sum."""
    roll = Roll.model_validate(message.data)
    return span(".dice")[
        (b(".die")[str(number)] for number in roll.rolled),
        span[f"= {sum(roll.rolled)}"] if len(roll.rolled) > 1 else None,
        small[f"{len(roll.rolled)}d{roll.sides}"],
    ]
