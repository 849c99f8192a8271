"""The message composer of a room."""

import logging
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from markupsafe import escape
from nicegui.events import GenericEventArguments

from anonchat import (
    MESSAGE_CHARACTERS,
    ChatError,
    Cost,
    Member,
    MessageExpired,
    NeedsConfirmation,
    Post,
    Room,
    Typing,
    cost_of_edit,
    cost_of_post,
    split_command,
    unescape_slash,
)

from ..context import current_context
from ..i18n.language import current_language
from ..rows import composer_properties, describe_question, describe_typing, standing_properties
from .component import Component
from .consent import consent_texts
from .emoji import emoji_properties
from .handlers import LatestOnlyHandler, QueueHandler
from .live_list import LiveList
from .message_seq import read_seq

_log = logging.getLogger(__name__)

_CONCURRENCY = 8  # concurrent posts share a commit
_QUEUE_MAX = 100
_ANSWERS_MAX = 3
_SCRIPTS: list[str | Path] = [
    "composer/*.js",
    "emoji/*.js",
    "compose.js",
    "navigation.js",
    "popup_menu.js",
    "member_names.js",
    "reason.js",
    "socket.js",
]


@dataclass(frozen=True, slots=True)
class _Sent:
    """A text that the page has sent; with `seq`, the new one of that message."""

    text: str
    dedup_id: str
    confirmed: bool
    reply_to: str = ""
    seq: int = 0
    ttl: timedelta | None = None
    once: bool = False


class Composer(Component, component="composer.js", dependencies=_SCRIPTS):
    """Sends on Enter, stores the author's draft in the browser tab, and shows pending messages.

    A text such as `/roll 2` is run as a command; what it tells is shown above the box, as is what
    `tell` is given. A text with warnings goes back into the box with a question.

    The pending messages are shown in `messages`. After a reconnection, unanswered messages are sent
    again; the `dedup_id` prevents duplicates. The composer can also edit a message of `messages`,
    or answer one, which begins there. A message older than the lifetime of messages goes
    back into the box instead, because it may have been posted and have expired already. Sent again
    unchanged, it keeps its `dedup_id`.
    """

    def __init__(self, room: Room, member: Member, *, messages: LiveList) -> None:
        super().__init__()
        self._context = current_context()
        self._language = _ = current_language()
        self._room = room
        self._member = member
        self._was_connected = False
        self.storage_key = f"{room.id}:{member.author}"
        """The end of the keys of unsent texts in the session storage of the browser tab."""
        self._props.update(
            feed=messages.id,
            storage_key=self.storage_key,
            label=_("Message"),
            send_label=_("Send"),
            too_long=_(
                "That is {length} characters long; {most} at most.",
                length="{}",
                most=MESSAGE_CHARACTERS,
            ),
            late=_("This was not sent in time. Send it again?"),
            commands=self._list_commands(),
            emoji=emoji_properties(_),
            texts={
                "commands": _("Commands"),
                "close": _("Close"),
                "send_anyway": _("Send anyway"),
                "edit": _("Edit"),
                "editing": _("Editing"),
                "cancel_edit": _("Cancel edit"),
                "replying": _("Replying to {name}", name="{}"),
                "cancel_reply": _("Cancel reply"),
                "members": _("Members"),
                "muted_until": _("You cannot write here: muted until {time}", time="{}"),
                "muted": _("You cannot write in this room any more."),
                "unmuted": _("You can write here again."),
                "paused": _("Only helpers may write in this room just now."),
                "helper": _(
                    "You are a helper of this room: you can mute, remove and ban members, and "
                    "delete what they write. Their menus have it."
                ),
                "owner": _("This room is yours now: you can change it, and keep order in it."),
                "member": _("You are no longer a helper of this room."),
                "lifetime": _("Disappears after"),
                "chosen_lifetime": _("Disappears after: {time}", time="{}"),
                "as_room": _("As the room"),
                "gone_in": _("Message, gone in {time}", time="{}"),
                "once": _("Once"),
                "chosen_once": _("Disappears after: once each member has opened it"),
                "opened_once": _("Message, opened once"),
                "consent": consent_texts(_),
                "typing_one": _("{name} is typing", name="{}"),
                "typing_two": _("{name} and {other} are typing", name="{}", other="{}"),
                "typing_three": _(
                    "{name}, {other} and {third} are typing", name="{}", other="{}", third="{}"
                ),
                "typing_several": _("several people are typing"),
            },
            standing=self._describe_standing(member),
            **self._describe_lifetimes(room),
        )
        self.on("answer", QueueHandler(self._on_answer, queue_max=_ANSWERS_MAX))
        self.on("typing", LatestOnlyHandler(self._on_typing), args=[])
        self.on(
            "post",
            QueueHandler(
                self._on_post,
                concurrency=_CONCURRENCY,
                queue_max=_QUEUE_MAX,
                reject=self._reject_excess,
            ),
        )

    async def handle_connect(self) -> None:
        """Show who is typing, and whether a transcript is asked for; make the page send its
        unanswered messages again.

        What the owner has changed while it was not connected, and whether the member was muted or
        has another role, is told before.
        """
        is_back, self._was_connected = self._was_connected, True
        if is_back:
            await self._show_standing()
        summary = self._context.chat.room_directory.summary(self._room.id)
        if summary and summary.room.revision > self._room.revision:
            await self.call_script("change", self._describe_lifetimes(summary.room))
        typing, question = self._context.chat.typing.get(self._room.id), self._describe_question()
        if is_back or typing != Typing():  # a new page shows neither
            await self.call_script("showTyping", describe_typing(self._room.id, typing))
        if is_back or question:
            await self.call_script("showQuestion", question)
        self.run_method("resend")

    async def _show_standing(self) -> None:
        member = await self._context.chat.memberships.get(self._room.id, self._member.visitor_id)
        if member:
            await self.call_script("changeStanding", self._describe_standing(member))

    def _describe_question(self) -> dict[str, object] | None:
        """Return the question for a transcript, or the transcript that all have agreed to."""
        transcripts, now = self._context.chat.transcripts, self._context.chat.clock()
        if question := transcripts.find_question(self._room.id):
            return describe_question(question, self._room, now=now)
        if question := transcripts.find_granted(self._room.id, author=self._member.author):
            return describe_question(question, self._room, now=now, granted=True)
        return None

    async def _on_answer(self, arguments: GenericEventArguments) -> None:
        fields = arguments.args if isinstance(arguments.args, dict) else {}
        id, agrees = fields.get("id"), fields.get("agrees")
        if not isinstance(id, str) or not isinstance(agrees, bool):
            return
        try:
            await self.work.wait(Cost.LOOKUP + self._context.broadcast_cost(self._room.id))
            await self._context.chat.transcripts.answer(
                self._room.id, visitor_id=self._member.visitor_id, question_id=id, agrees=agrees
            )
        except ChatError:  # it has ended, or the answer is to be given again
            await self.call_script("showQuestion", self._describe_question())

    async def _on_typing(self, _arguments: GenericEventArguments) -> None:
        await self.work.spend(Cost.TYPING + self._context.broadcast_cost(self._room.id))
        await self._context.chat.typing.signal(self._room.id, visitor_id=self._member.visitor_id)

    def paint(self) -> str:
        """Return the empty box as HTML."""
        placeholder, label = escape(self._props["placeholder"]), escape(self._props["label"])
        return (
            f'<form class="composer"><div class="alert"></div><div class="field">'
            f'<textarea id="{self.html_id}-box" rows="1" placeholder="{placeholder}" '
            f'aria-label="{label}"></textarea>'
            f'<button type="button" class="button icon-only quiet" disabled></button>'
            f'<button type="button" class="button icon-only quiet icon-smile" disabled></button>'
            f'<button type="submit" class="button icon-only" disabled></button></div></form>'
        )

    async def tell(self, text: str) -> None:
        """Show a text above the box, on this page alone."""
        await self.call_script("tell", text)

    def _describe_standing(self, member: Member) -> dict[str, object]:
        summary = self._context.chat.room_directory.summary(self._room.id)
        room = summary.room if summary else self._room
        return standing_properties(member, room, now=self._context.chat.clock())

    def _describe_lifetimes(self, room: Room) -> dict[str, object]:
        shortest = self._context.chat.settings.message_ttl_min
        return composer_properties(room, shortest=shortest, language=self._language)

    def _list_commands(self) -> list[dict[str, str]]:
        commands = self._context.plugins.list_commands(self._member, self._room)
        translate = self._language.translate
        return [
            {"name": each.name, "usage": each.usage, "help": translate(each.help)}
            for each in commands
        ]

    async def _on_post(self, arguments: GenericEventArguments) -> None:
        if (sent := _parse(arguments)) is None:
            return
        try:
            told = await self._handle(sent)
        except MessageExpired as error:  # it was posted before
            self.run_method("expire", sent.dedup_id, self._language.explain(error))
        except NeedsConfirmation as error:
            warnings = [self._language.translate(each) for each in error.warnings]
            question = self._language.explain(error)
            await self.call_script("ask", sent.dedup_id, question, warnings)
        except ChatError as error:
            self.run_method("reject", sent.dedup_id, *self._language.reason(error))
        except Exception:  # without a response, the message would stay pending
            _log.exception("posting a message failed")
            self.run_method(
                "reject", sent.dedup_id, self._language("That did not work. Please try again.")
            )
        else:
            if told:
                await self.call_script("accept", sent.dedup_id, told)
            else:
                self.run_method("accept", sent.dedup_id)

    async def _handle(self, sent: _Sent) -> str:
        """Run a command, or post any other text, or edit; return what the author is told."""
        if sent.seq:
            await self._edit(sent)
            return ""
        cost = cost_of_post(sent.text)
        await self.work.spend(cost + self._context.broadcast_cost(self._room.id))
        visitor_id = self._member.visitor_id
        if split_command(sent.text):
            result = await self._context.plugins.run_command(
                self._room.id,
                visitor_id,
                sent.text,
                language=self._language,
                dedup_id=sent.dedup_id,
                confirmed=sent.confirmed,
                ttl=sent.ttl,
                once=sent.once,
            )
            return result.told
        await self._context.chat.messages.post(
            self._room.id,
            visitor_id=visitor_id,
            post=Post(
                unescape_slash(sent.text), reply_to=sent.reply_to, ttl=sent.ttl, once=sent.once
            ),
            dedup_id=sent.dedup_id,
            confirmed=sent.confirmed,
        )
        return ""

    async def _edit(self, sent: _Sent) -> None:
        cost = cost_of_edit(sent.text) + self._context.broadcast_cost(self._room.id)
        await self.work.spend(cost)
        await self._context.chat.messages.edit_by_seq(
            self._room.id,
            visitor_id=self._member.visitor_id,
            seq=sent.seq,
            text=sent.text,
            confirmed=sent.confirmed,
        )

    def _reject_excess(self, arguments: GenericEventArguments) -> None:
        """Put a message back into the box because the queue is full."""
        if sent := _parse(arguments):
            reason = self._language("Too much is asked for at once. Please try again.")
            self.run_method("reject", sent.dedup_id, reason)


def _parse(arguments: GenericEventArguments) -> _Sent | None:
    """Return what was sent, or `None` if the event is malformed."""
    fields = arguments.args if isinstance(arguments.args, dict) else {}
    text, dedup_id = fields.get("text"), fields.get("dedup")
    if not isinstance(text, str) or not isinstance(dedup_id, str) or not dedup_id:
        return None
    reply_to, seq = fields.get("reply_to"), 0
    if fields.get("seq") is not None and not (seq := read_seq(fields["seq"])):
        return None
    lifetime = fields.get("lifetime") or "0"
    if not isinstance(lifetime, str) or not re.fullmatch(r"once|[0-9]{1,10}", lifetime):
        return None
    once = lifetime == "once"
    return _Sent(
        text,
        dedup_id,
        confirmed=fields.get("confirmed") is True,
        reply_to=reply_to if isinstance(reply_to, str) else "",
        seq=seq,
        ttl=None if once else timedelta(seconds=int(lifetime)) or None,
        once=once,
    )
