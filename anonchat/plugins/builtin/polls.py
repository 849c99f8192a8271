"""Polls: `/poll "Tea or coffee?" tea coffee` opens one, and everybody votes in the panel.

Bars move while people vote. Everybody has one vote, which they may change. Who opened a poll, or
owns the room, closes it: then its result is posted.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from htpy import Element, b, div, meter, span
from nicegui import ui
from pydantic import BaseModel, JsonValue

from anonchat.plugins import (
    Chat,
    Language,
    Member,
    Message,
    Plugin,
    Post,
    Refused,
    Room,
    RoomState,
    split_words,
)

plugin = Plugin("polls", css="polls.css")

_OPEN_MAX, _OPTIONS_MAX, _OPTION_MAX, _QUESTION_MAX = 5, 10, 80, 200


class Poll(BaseModel):
    """An open poll; `votes` has the index of an option for the `author` of each voter."""

    question: str
    options: list[str]
    owner: str
    votes: dict[str, int] = {}

    def count(self) -> list[int]:
        """Return the votes for each option."""
        return [[*self.votes.values()].count(index) for index in range(len(self.options))]


class Shown(BaseModel):
    """What a message shows: a question, its options, and in the end the votes for each."""

    question: str
    options: list[str]
    counts: list[int] = []

    def to_post(self) -> Post:
        """Return what is posted."""
        counts = [f" {count}" for count in self.counts] or [""] * len(self.options)
        options = [f"{option}{count}" for option, count in zip(self.options, counts, strict=True)]
        text = "\n".join([self.question, *(f"• {option}" for option in options)])
        return Post(text, kind="poll", data=self.model_dump())


@plugin.command("poll", cooldown="5s")
async def open_poll(question: str, options: str, member: Member, state: RoomState) -> Post:
    """Open a poll: /poll "Tea or coffee?" tea coffee."""
    texts = split_words(options)
    if not 2 <= len(texts) <= _OPTIONS_MAX or len({*texts}) < len(texts):
        raise Refused("A poll needs 2 to {most} different options.", most=_OPTIONS_MAX)
    if len(question) > _QUESTION_MAX or max(map(len, texts)) > _OPTION_MAX:
        raise Refused("That is too long for a poll.")
    poll = Poll(question=question, options=texts, owner=member.author)

    def add(polls: dict[str, JsonValue]) -> None:
        if len(polls) >= _OPEN_MAX:
            raise Refused("{most} polls are open here already. Close one first.", most=_OPEN_MAX)
        polls[str(max(map(int, polls), default=0) + 1)] = poll.model_dump()

    await state.change(add)
    return Shown(question=question, options=texts).to_post()


@plugin.renderer("poll")
def draw(message: Message) -> Element:
    """Draw a poll that was opened, or the result of one that was closed."""
    shown = Shown.model_validate(message.data)
    most = max(shown.counts, default=0)
    return div(".poll")[
        b[shown.question],
        (div(".option")[option] for option in shown.options if not shown.counts),
        (
            div(".option")[span[option], meter(value=count, max=max(most, 1)), b[str(count)]]
            for option, count in zip(shown.options, shown.counts, strict=False)
        ),
    ]


@plugin.panel("Polls", icon="poll")
async def show(
    room: Room, member: Member, state: RoomState, chat: Chat, language: Language
) -> None:
    """Show the open polls, with a button for each option."""
    hint = ui.label(language('No poll is open. /poll "Tea or coffee?" tea coffee opens one.'))
    column = ui.column().classes("polls")
    cards: dict[str, _Card] = {}

    async def vote(key: str, option: int) -> None:
        await state.change(partial(_vote, key=key, author=member.author, option=option))

    async def close(key: str) -> None:
        taken: JsonValue = None

        def take(polls: dict[str, JsonValue]) -> None:
            nonlocal taken
            taken = polls.pop(key, None)

        await state.change(take)
        if taken:  # else somebody else has just closed it
            poll = Poll.model_validate(taken)
            shown = Shown(question=poll.question, options=poll.options, counts=poll.count())
            await chat.post(room, member, shown.to_post())

    async def update() -> None:
        polls = await _read(state)
        for key in cards.keys() - polls.keys():
            cards.pop(key).card.delete()
        for key, poll in polls.items():
            if key not in cards:
                with column:
                    cards[key] = _Card(poll, language, partial(vote, key), partial(close, key))
                cards[key].closing.set_visibility(member.is_owner or member.author == poll.owner)
            cards[key].update(poll, member.author)
        hint.set_visibility(not polls)

    await update()
    state.watch(update)


class _Card:
    """A poll in the panel."""

    def __init__(
        self,
        poll: Poll,
        language: Language,
        vote: Callable[[int], Awaitable[None]],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self._buttons: list[ui.button] = []
        self._bars: list[ui.linear_progress] = []
        self._counts: list[ui.label] = []
        with ui.card() as self.card:
            ui.label(poll.question).classes("question")
            for index, option in enumerate(poll.options):
                with ui.row().classes("vote"):
                    button = ui.button(option, on_click=partial(vote, index))
                    self._buttons.append(button.props("flat no-caps"))
                    self._counts.append(ui.label())
                bar = ui.linear_progress(show_value=False).props("aria-hidden=true")
                self._bars.append(bar)
            self.closing = ui.button(language("Close the poll"), on_click=close)
            self.closing.props("outline no-caps")

    def update(self, poll: Poll, voter: str) -> None:
        """Show the votes, and which option the voter has chosen."""
        for index, count in enumerate(poll.count()):
            is_mine = poll.votes.get(voter) == index
            self._buttons[index].props(f"aria-pressed={'true' if is_mine else 'false'}")
            self._counts[index].set_text(str(count))
            self._bars[index].set_value(count / max(1, len(poll.votes)))


async def _read(state: RoomState) -> dict[str, Poll]:
    return {key: Poll.model_validate(poll) for key, poll in (await state.items()).items()}


def _vote(polls: dict[str, JsonValue], *, key: str, author: str, option: int) -> None:
    if key in polls:
        poll = Poll.model_validate(polls[key])
        poll.votes[author] = option
        polls[key] = poll.model_dump()
