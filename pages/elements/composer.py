"""The message composer of a room."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from nicegui.events import GenericEventArguments

from anonchat import MESSAGE_CHARACTERS, ChatError, MessageExpired, WorkBudget

from ..i18n.language import Language
from .component import Component
from .handlers import QueueHandler
from .live_list import LiveList

_log = logging.getLogger(__name__)

_CONCURRENCY = 8  # concurrent posts share a commit
_QUEUE_MAX = 100

Post = Callable[[str, str], Awaitable[object]]


class Composer(Component, component="composer.js"):
    """Sends on Enter, stores the author's draft in the browser tab, and shows pending messages.

    `post` gets the text and its `dedup_id`, and raises a `ChatError` to reject the message. After a
    reconnection, unanswered messages are sent again; the `dedup_id` prevents duplicates. A message
    older than `resend_within` goes back into the box instead, because it may have been posted and
    have expired already. Sent again unchanged, it keeps its `dedup_id`.
    """

    def __init__(
        self,
        post: Post,
        *,
        budget: WorkBudget,
        feed: LiveList,
        language: Language,
        draft_key: str,
        author: str,
        placeholder: str,
        resend_within: timedelta,
    ) -> None:
        super().__init__(budget)
        self._post = post
        self._language = language
        self.draft_key = f"draft:{draft_key}:{author}"
        """The key of the draft in the session storage of the browser tab."""
        self._props.update(
            feed=feed.id,
            draft_key=draft_key,
            author=author,
            placeholder=placeholder,
            label=language("Message"),
            send_label=language("Send"),
            resend_within=resend_within.total_seconds() * 1000,
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
            QueueHandler(
                self._on_post,
                concurrency=_CONCURRENCY,
                queue_max=_QUEUE_MAX,
                reject=self._reject_excess,
            ),
        )

    def _resend(self) -> None:
        if not self.is_deleted:
            self.run_method("resend")

    async def _on_post(self, arguments: GenericEventArguments) -> None:
        text, dedup_id = _parse(arguments)
        if not dedup_id:
            return
        try:
            await self._post(text, dedup_id)
        except MessageExpired as error:  # posted and expired: a retry needs a new dedup_id
            self.run_method("reject", dedup_id, self._language.explain(error), True)
        except ChatError as error:
            self.run_method("reject", dedup_id, self._language.explain(error))
        except Exception:  # without a response, the message would stay pending
            _log.exception("posting a message failed")
            self.run_method(
                "reject", dedup_id, self._language("That did not work. Please try again.")
            )
        else:
            self.run_method("accept", dedup_id)

    def _reject_excess(self, arguments: GenericEventArguments) -> None:
        """Put a message back into the box because the queue is full."""
        _, dedup_id = _parse(arguments)
        if dedup_id:
            reason = self._language("Too much is asked for at once. Please try again.")
            self.run_method("reject", dedup_id, reason)


def _parse(arguments: GenericEventArguments) -> tuple[str, str]:
    """Return the text and its `dedup_id`, or two empty strings if the event is malformed."""
    fields = arguments.args if isinstance(arguments.args, dict) else {}
    text, dedup_id = fields.get("text"), fields.get("dedup")
    return (text, dedup_id) if isinstance(text, str) and isinstance(dedup_id, str) else ("", "")
