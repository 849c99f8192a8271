"""Friendly nicknames to choose from."""

import secrets
from collections.abc import Awaitable, Callable

from .language import Language

_TRIES = 20
_FIRST = (
    "Quiet,Warm,Brave,Curious,Gentle,Sleepy,Merry,Patient,Silver,Lucky,Calm,Bright,Misty,Velvet,"
    "Northern,Distant,Amber,Humble,Nimble,Tender"
)
_SECOND = (
    "Fox,Otter,Heron,Badger,Lynx,Sparrow,Hedgehog,Owl,Moth,Hare,Beaver,Falcon,Robin,Whale,Cricket,"
    "Raccoon,Swift,Marten,Salmon,Wren"
)


async def suggest_nickname(language: Language, *, is_free: Callable[[str], Awaitable[bool]]) -> str:
    """Return a nickname in the visitor's language that nobody bears."""
    first = language.words("first words of a nickname", _FIRST)
    second = language.words("second words of a nickname", _SECOND)
    name = ""
    for attempt in range(_TRIES):
        name = f"{secrets.choice(first)} {secrets.choice(second)}"
        if attempt > _TRIES // 2:
            name = f"{name} {secrets.randbelow(1000)}"
        if await is_free(name):
            break
    return name
