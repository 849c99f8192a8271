"""Work in batches."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


def batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """Yield the items in batches of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


async def process_in_batches(process: Callable[[str], Awaitable[Sequence[str]]]) -> int:
    """Process rows in the order of their ids; return how many.

    `process` gets the last id of the previous batch, at first "", and returns the ids of the next
    one, or none at the end.
    """
    count, after = 0, ""
    while batch := await process(after):
        count, after = count + len(batch), batch[-1]
    return count
