"""Filters: what is posted passes all of them, in the order in which they were loaded."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeGuard

from ..entities import Post, Reviewed
from ..errors import N_, Refused
from .entities import Draft
from .errors import PluginFailed
from .injection import name_of
from .invocation import Values, invoke
from .registrations import Filter

_SECONDS = 1.0
_UNCHECKED = N_("This could not be checked, so it was not posted. Please try again.")
_log = logging.getLogger(__name__)

Provide = Callable[[Filter], Awaitable[Values]]


class FilterChain:
    """Lets each filter check or change a post. A filter that fails lets nothing pass."""

    def __init__(
        self,
        filters: list[Filter],
        *,
        provide_always: Callable[[Filter], Values],
        begin: Callable[[str, str], Provide],
    ) -> None:
        """`provide_always` returns what can be injected into a filter whatever is posted.

        `begin` returns, for a room and a visitor, a function that returns the rest too; it is
        called for filters that need it.
        """
        self._filters = [(each, _find_fixed(each, provide_always(each))) for each in filters]
        self._begin = begin

    async def review(self, room_id: str, visitor_id: str, post: Post) -> Reviewed:
        """Return what is posted instead, and the warnings. Raises `Refused`, or `NotAMember`."""
        draft = Draft(post.text, kind=post.kind, data=post.data, nickname=post.nickname)
        provide = self._begin(room_id, visitor_id)
        for each, fixed in self._filters:
            values = await provide(each) if fixed is None else fixed
            draft = await self._apply(each, draft, {**values, Draft: draft})
        return Reviewed(draft.to_post(), tuple(draft.warnings))

    async def _apply(self, each: Filter, draft: Draft, values: Values) -> Draft:
        what = f"filter {name_of(each.call.function)}"
        try:
            changed = await invoke(each.call, values, what=what, seconds=_SECONDS)
        except PluginFailed as error:
            raise Refused(_UNCHECKED) from error
        changed = draft if changed is None else changed
        if not _is_valid(changed):
            _log.error("plugin %s: %s made no Draft that can be posted", each.call.plugin, what)
            raise Refused(_UNCHECKED)
        if changed is not draft:
            earlier = [text for text in draft.warnings if text not in changed.warnings]
            changed.warnings[:0] = earlier
        return changed


def _find_fixed(each: Filter, values: Values) -> Values | None:
    """Return what can be injected into a filter, if that is the same for everything posted."""
    return values if {*each.call.types.values()} <= {Draft, *values} else None


def _is_valid(draft: object) -> TypeGuard[Draft]:
    """Return whether the types of a draft are right; the limits are checked when it is stored."""
    return (
        isinstance(draft, Draft)
        and isinstance(draft.text, str)
        and isinstance(draft.kind, str)
        and isinstance(draft.nickname, str)
        and (not draft.warnings or all(isinstance(each, str) for each in draft.warnings))
    )
