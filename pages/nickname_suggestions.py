"""Nicknames for visitors who choose none."""

import secrets
from collections.abc import Awaitable, Callable

from anonchat import Language

_SUGGESTIONS_MAX = 20
_FIRST_WORDS = (
    "Quiet,Warm,Brave,Curious,Gentle,Sleepy,Merry,Patient,Silver,Lucky,Calm,Bright,Misty,Velvet,"
    "Northern,Distant,Amber,Humble,Nimble,Tender"
)
_SECOND_WORDS = (
    "Fox,Otter,Heron,Badger,Lynx,Sparrow,Hedgehog,Owl,Moth,Hare,Beaver,Falcon,Robin,Whale,Cricket,"
    "Raccoon,Swift,Marten,Salmon,Wren"
)


async def suggest_nickname(language: Language, *, is_free: Callable[[str], Awaitable[bool]]) -> str:
    """Return a random nickname in the visitor's language, a free one if 20 attempts suffice."""
    first = language.words("first words of a nickname", _FIRST_WORDS)
    second = language.words("second words of a nickname", _SECOND_WORDS)
    name = ""
    for attempt in range(_SUGGESTIONS_MAX):
        name = f"{secrets.choice(first)} {secrets.choice(second)}"
        if attempt > _SUGGESTIONS_MAX // 2:
            name = f"{name} {secrets.randbelow(1000)}"
        if await is_free(name):
            break
    return name
