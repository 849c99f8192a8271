"""Division of a sequence into batches."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


def batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """Yield the items in batches of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))
