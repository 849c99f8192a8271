"""Transactions that fail because of another one or of the connection, and their retries."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

from ..errors import Unavailable
from ..security.keystore import KeyStore

_P = ParamSpec("_P")
_T = TypeVar("_T")


class WriteConflict(Unavailable):
    """Write conflict: rolled back, safe to retry."""


class ConnectionLost(Unavailable):
    """Connection to the server lost: the transaction may have been committed or not."""


def retry_on_conflict(act: Callable[_P, Awaitable[_T]]) -> Callable[_P, Awaitable[_T]]:
    """Call `act` once more after a `WriteConflict`: it then sees the other transaction's rows."""

    @functools.wraps(act)
    async def act_with_retry(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return await act(*args, **kwargs)
        except WriteConflict:
            return await act(*args, **kwargs)

    return act_with_retry


@asynccontextmanager
async def destroying_keys_on_conflict(keys: KeyStore, names: list[str]) -> AsyncIterator[None]:
    """Destroy the new keys of a row if the block's transaction is rolled back by a conflict."""
    try:
        yield
    except WriteConflict:
        await keys.destroy(names)
        raise
