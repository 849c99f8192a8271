"""Questions whose answers are revealed together."""

import asyncio

import pytest

from anonchat.plugins import RateLimited, Refused
from anonchat.plugins.builtin import answers, words
from anonchat.plugins.testing import chat_with


def _shown(data: object) -> answers.Answers:
    return answers.Answers.model_validate(data)


async def test_answers_are_revealed_together_and_without_names() -> None:
    async with chat_with(answers.plugin) as chat:
        ann, bob, cid = [await chat.enter(name) for name in ("Ann", "Bob", "Cid")]
        room = await chat.open_room("tea", ann, bob, cid)
        await ann.say(room, "/ask What went well?")
        told = await bob.say(room, "/answer the tea")
        assert str(told).startswith("Your answer is kept.")
        await cid.say(room, "/answer the cups")
        await cid.say(room, "/answer the <biscuits>")
        assert [each.text for each in await ann.read(room)] == ["What went well?"]
        await ann.say(room, "/reveal")
        message = (await bob.read(room))[-1]
        shown = _shown(message.data)
        assert (shown.question, sorted(shown.answers)) == (
            "What went well?",
            ["the <biscuits>", "the tea"],
        )
        assert message.author == (await ann.member(room)).author
        drawn = str(chat.host.drawer.draw(message))
        assert "<li>the tea</li>" in drawn and "<li>the &lt;biscuits&gt;</li>" in drawn
        assert await chat.state(answers.plugin, room).items() == {}


async def test_two_who_reveal_at_once_post_once() -> None:
    async with chat_with(answers.plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        await ann.say(room, "/ask Well?")
        await bob.say(room, "/answer yes")
        results = await asyncio.gather(
            *(ann.say(room, "/reveal") for _ in range(3)), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in results) == ["NoneType", "Refused", "Refused"]
        assert [each.text for each in await ann.read(room)] == ["Well?", "Well?\n• yes"]


async def test_answers_that_could_not_be_posted_are_kept() -> None:
    async with chat_with(answers.plugin, posts_per_visitor="1/1m") as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        await ann.say(room, "/ask Well?")
        await bob.say(room, "/answer yes")
        with pytest.raises(RateLimited):
            await ann.say(room, "/reveal")
        await chat.advance("1m")
        await ann.say(room, "/reveal")
        assert (await ann.read(room))[-1].text == "Well?\n• yes"


async def test_order_does_not_tell_who_answered_first() -> None:
    async with chat_with(answers.plugin) as chat:
        ann = await chat.enter("Ann")
        others = [await chat.enter(f"Guest {number}") for number in range(5)]
        room = await chat.open_room("tea", ann, *others)
        orders = set()
        for _ in range(10):
            await ann.say(room, "/ask Well?")
            for number, person in enumerate(others):
                await person.say(room, f"/answer {number}")
            await ann.say(room, "/reveal")
            orders.add(tuple(_shown((await ann.read(room))[-1].data).answers))
        assert len(orders) > 1


async def test_new_question_drops_the_answers_to_the_one_before() -> None:
    async with chat_with(answers.plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        await ann.say(room, "/ask Tea?")
        await bob.say(room, "/answer yes")
        await ann.say(room, "/ask Coffee?")
        with pytest.raises(Refused, match="no answers"):
            await ann.say(room, "/reveal")


async def test_without_a_question_there_is_nothing_to_answer() -> None:
    async with chat_with(answers.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(Refused, match="no question"):
            await ann.say(room, "/answer yes")


async def test_answer_of_one_who_is_forgotten_is_dropped() -> None:
    async with chat_with(answers.plugin) as chat:
        ann, bob, cid = [await chat.enter(name) for name in ("Ann", "Bob", "Cid")]
        room = await chat.open_room("tea", ann, bob, cid)
        await ann.say(room, "/ask What went well?")
        await bob.say(room, "/answer the tea")
        await cid.say(room, "/answer the cups")
        await chat.host.chat.identity.forget(bob.visitor_id)
        await chat.settle()
        await ann.say(room, "/reveal")
        assert _shown((await ann.read(room))[-1].data).answers == ["the cups"]


async def test_many_answers_are_revealed_in_several_messages() -> None:
    async with chat_with(answers.plugin) as chat:
        people = [await chat.enter(f"Guest {number}") for number in range(20)]
        room = await chat.open_room("tea", *people)
        await people[0].say(room, "/ask Well?")
        texts = [f"{number} {'ё' * 490}" for number in range(20)]
        for person, text in zip(people, texts, strict=True):
            await person.say(room, f"/answer {text}")
        await people[0].say(room, "/reveal")
        messages = (await people[1].read(room))[1:]
        assert len(messages) > 1
        assert sorted(each for message in messages for each in _shown(message.data).answers) == (
            sorted(texts)
        )


async def test_answer_that_a_filter_refuses_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANONCHAT_WORDS_NOT_WANTED", "spam")
    async with chat_with(answers.plugin, words.plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        await ann.say(room, "/ask Well?")
        with pytest.raises(Refused, match="“spam”"):
            await bob.say(room, "/answer spam")
        await bob.say(room, "/answer tea")
        await ann.say(room, "/reveal")
        assert _shown((await ann.read(room))[-1].data).answers == ["tea"]
