"""Answers that nobody sees before all are given: `/ask`, `/answer` and `/reveal`.

The answers are revealed in a random order, without names. Until then they are encrypted with the
room; nobody in it sees them, its owner included. The answer of a person is dropped when they leave.
"""

from random import SystemRandom
from typing import Annotated

from htpy import Element, b, div, li, ul
from pydantic import BaseModel, Field, JsonValue

from anonchat.plugins import (
    Chat,
    ChatError,
    Language,
    Member,
    MemberLeft,
    Message,
    Plugin,
    Post,
    Refused,
    Room,
    RoomState,
)

plugin = Plugin("answers")

_TEXT_MAX = 3_000  # characters of all answers in one message
_random = SystemRandom()


class Answers(BaseModel):
    """A question, and some of its answers."""

    question: str
    answers: list[str] = []

    def to_post(self) -> Post:
        """Return what is posted."""
        lines = [self.question, *(f"• {answer}" for answer in self.answers)]
        return Post("\n".join(lines), kind="answers", data=self.model_dump())


@plugin.command(who="owner")
async def ask(question: Annotated[str, Field(max_length=300)], state: RoomState) -> Post:
    """Ask all a question, whose answers you reveal together: /ask What went well?"""

    def begin(values: dict[str, JsonValue]) -> None:
        values.clear()
        values["question"] = question

    await state.change(begin)
    return Answers(question=question).to_post()


@plugin.command()
async def answer(
    text: Annotated[str, Field(max_length=500)],
    chat: Chat,
    room: Room,
    member: Member,
    state: RoomState,
    language: Language,
) -> str:
    """Answer the question; nobody sees it yet, and a second answer replaces the first."""
    if not await state.get("question"):
        raise Refused("There is no question now.")
    await chat.check(room, member, text)
    await state.put(f"by {member.author}", text)
    return language("Your answer is kept. All answers are shown together, without names.")


@plugin.command(who="owner")
async def reveal(chat: Chat, room: Room, member: Member, state: RoomState) -> None:
    """Show all answers, in a random order and without names."""
    question, answers = await _take(state)
    _random.shuffle(answers)
    shown = 0
    try:
        for part in _split([text for _, text in answers]):
            await chat.post(room, member, Answers(question=question, answers=part).to_post())
            shown += len(part)
    except ChatError:  # such as a limit: the rest can be revealed later, unless there is a new one
        rest = {"question": question, **dict(answers[shown:])}
        await state.change(lambda values: values or values.update(rest))
        raise


async def _take(state: RoomState) -> tuple[str, list[tuple[str, str]]]:
    """Remove the question and its answers, and return them: nobody else can reveal them then."""
    taken: dict[str, str] = {}

    def take(values: dict[str, JsonValue]) -> None:
        if not values.keys() - {"question"}:
            raise Refused("There are no answers yet.")
        taken.clear()
        taken.update({key: str(value) for key, value in values.items()})
        values.clear()

    await state.change(take)
    return taken.pop("question", ""), list(taken.items())


@plugin.on(MemberLeft)
async def drop(event: MemberLeft, state: RoomState) -> None:
    """Drop the answer of a person who has left, or was forgotten."""
    await state.delete(f"by {event.author}")


@plugin.renderer("answers")
def draw(message: Message) -> Element:
    """Draw the question, and the list of answers."""
    shown = Answers.model_validate(message.data)
    return div[b[shown.question], ul[(li[answer] for answer in shown.answers)]]


def _split(answers: list[str]) -> list[list[str]]:
    """Part the answers, so that each part fits in a message."""
    parts, length = [[answers[0]]], len(answers[0])
    for answer in answers[1:]:
        length += len(answer)
        if length > _TEXT_MAX:
            parts.append([])
            length = len(answer)
        parts[-1].append(answer)
    return parts
