"""Filters: what is posted passes all of them, in the order in which they were loaded."""

import inspect
import logging
import time
from collections.abc import Awaitable, Callable

from ..entities import Post, Reviewed
from ..errors import N_, Refused
from .entities import Draft
from .errors import PluginFailed
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
        what = f"filter {each.call.function.__name__}"
        started = time.perf_counter()
        try:
            changed = await invoke(each.call, values, what=what, seconds=_SECONDS)
        except PluginFailed as error:
            raise Refused(_UNCHECKED) from error
        is_late = (
            not inspect.iscoroutinefunction(each.call.function)
            and time.perf_counter() - started > _SECONDS
        )
        if is_late or not isinstance(changed, Draft | None):
            _log.warning("plugin %s: %s %s", each.call.plugin, what, _fault(is_late))
            raise Refused(_UNCHECKED)
        if changed is None or changed is draft:
            return draft
        changed.warnings[:0] = [each for each in draft.warnings if each not in changed.warnings]
        return changed


def _fault(is_late: bool) -> str:
    return "took more than 1 s" if is_late else "returned neither a Draft nor None"
