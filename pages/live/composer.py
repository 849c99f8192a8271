"""The box one writes in."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from nicegui.events import GenericEventArguments

from anonchat import MESSAGE_CHARACTERS, ChatError, MessageExpired, WorkBudget

from ..language import Language
from .feed import Feed
from .handlers import InOrder
from .part import Part

_log = logging.getLogger(__name__)

_AT_ONCE = 8  # posts of one moment share a commit
_WAITING_MOST = 100

Post = Callable[[str, str], Awaitable[object]]


class Composer(Part, component="composer.js"):
    """Sends on Enter alone; keeps the draft of that author in the tab; shows what is on its way.

    `post` is called with the text and its `dedup_id`, and refuses with a `ChatError`. What was not
    answered is sent again after a reconnection; its `dedup_id` makes that harmless, and after
    `patience` it goes back into the box instead, for it may have been said and be gone by then.
    What went back and is sent unchanged keeps its `dedup_id`: trying again never posts it twice.
    """

    def __init__(
        self,
        post: Post,
        *,
        budget: WorkBudget,
        feed: Feed,
        language: Language,
        draft_key: str,
        author: str,
        placeholder: str,
        patience: timedelta,
    ) -> None:
        super().__init__(budget)
        self._post = post
        self._language = language
        self._props.update(
            feed=feed.id,
            draft_key=draft_key,
            author=author,
            placeholder=placeholder,
            label=language("Message"),
            send_label=language("Send"),
            patience=patience.total_seconds() * 1000,
            too_long=language(
                "That is {length} characters long; {most} at most.",
                length="{}",
                most=MESSAGE_CHARACTERS,
            ),
            late=language("This was not sent in time. Send it again?"),
        )
        self.client.on_connect(self._resend)
        self.on(
            "post",
            InOrder(
                self._on_post,
                at_once=_AT_ONCE,
                waiting_most=_WAITING_MOST,
                refuse=self._refuse_excess,
            ),
        )

    def _resend(self) -> None:
        if not self.is_deleted:
            self.run_method("resend")

    async def _on_post(self, arguments: GenericEventArguments) -> None:
        text, dedup_id = _read(arguments)
        if not dedup_id:
            return
        try:
            await self._post(text, dedup_id)
        except MessageExpired as error:  # it was said and is gone: next time it is another one
            self.run_method("refuse", dedup_id, self._language.explain(error), True)
        except ChatError as error:
            self.run_method("refuse", dedup_id, self._language.explain(error))
        except Exception:  # whoever waits for an answer must get one
            _log.exception("a message could not be posted")
            self.run_method(
                "refuse", dedup_id, self._language("That did not work. Please try again.")
            )
        else:
            self.run_method("accept", dedup_id)

    def _refuse_excess(self, arguments: GenericEventArguments) -> None:
        """Put back into the box what comes while too much waits already."""
        _, dedup_id = _read(arguments)
        if dedup_id:
            reason = self._language("Too much is asked for at once. Please try again.")
            self.run_method("refuse", dedup_id, reason)


def _read(arguments: GenericEventArguments) -> tuple[str, str]:
    """Return the text and its `dedup_id`; nothing if they are none."""
    fields = arguments.args if isinstance(arguments.args, dict) else {}
    text, dedup_id = fields.get("text"), fields.get("dedup")
    return (text, dedup_id) if isinstance(text, str) and isinstance(dedup_id, str) else ("", "")
