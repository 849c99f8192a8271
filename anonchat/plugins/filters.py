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

Provide = Callable[[Filter, str, str], Awaitable[Values]]


class FilterChain:
    """Lets each filter check or change a post. A filter that fails lets nothing pass."""

    def __init__(self, filters: list[Filter], provide: Provide) -> None:
        """`provide` returns what can be injected into a filter for a room and a visitor."""
        self._filters = filters
        self._provide = provide

    async def review(self, room_id: str, visitor_id: str, post: Post) -> Reviewed:
        """Return what is posted instead, and the warnings. Raises `Refused`, or `NotAMember`."""
        draft = Draft(post.text, kind=post.kind, data=post.data, nickname=post.nickname)
        for each in self._filters:
            draft = await self._apply(each, draft, room_id, visitor_id)
        return Reviewed(draft.to_post(), tuple(draft.warnings))

    async def _apply(self, each: Filter, draft: Draft, room_id: str, visitor_id: str) -> Draft:
        values = {**await self._provide(each, room_id, visitor_id), Draft: draft}
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


def _is_valid(draft: object) -> TypeGuard[Draft]:
    """Return whether the types of a draft are right; the limits are checked when it is stored."""
    return isinstance(draft, Draft) and all(
        isinstance(text, str) for text in (draft.text, draft.kind, draft.nickname, *draft.warnings)
    )
