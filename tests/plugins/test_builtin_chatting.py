"""`/me`, `/shrug` and `/help`."""

from anonchat.plugins import Message
from anonchat.plugins.builtin import chatting, masquerade
from anonchat.plugins.testing import chat_with


async def test_action_is_drawn_as_one_of_its_author() -> None:
    async with chat_with(chatting.plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        await ann.say(room, "/me waves & <smiles>")
        (message,) = await bob.read(room)
        assert (message.kind, message.text) == ("me", "waves & <smiles>")
        drawn = str(chat.host.drawer.draw(message))
        assert drawn == "<em><bdi>Ann</bdi> waves &amp; &lt;smiles&gt;</em>"


async def test_shrug_follows_a_text() -> None:
    async with chat_with(chatting.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        for line in ("/shrug", "/shrug who knows"):
            await ann.say(room, line)
        assert [each.text for each in await ann.read(room)] == [
            "¯\\_(ツ)_/¯",
            "who knows ¯\\_(ツ)_/¯",
        ]


async def test_help_lists_the_commands_of_the_caller_alone() -> None:
    async with chat_with(chatting.plugin, masquerade.plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        of_owner, of_member = await ann.say(room, "/help"), await bob.say(room, "/help")
        assert not isinstance(of_owner, Message | None) and "/masks <switch> [every]" in of_owner
        assert of_member == (
            "/help – List the commands.\n"
            "/me <action> – Say what you do: /me waves.\n"
            "/shrug [text] – Shrug, perhaps after a text."
        )
        assert await bob.read(room) == []


async def test_help_is_in_the_language_of_the_caller() -> None:
    async with chat_with(chatting.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        told = str(await ann.say(room, "/help", language="ru"))
        assert "/help – Показать список команд." in told.splitlines()
