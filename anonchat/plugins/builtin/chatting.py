"""`/me`, `/shrug` and `/help`."""

from htpy import Element, bdi, em

from anonchat.plugins import Chat, Language, Member, Message, Plugin, Post, Room

plugin = Plugin("chatting")


@plugin.command()
def me(action: str) -> Post:
    """Say what you do: /me waves."""
    return Post(action, kind="me")


@plugin.renderer("me")
def draw_action(message: Message) -> Element:
    """Draw an action as a sentence about its author."""
    return em[bdi[message.nickname], " ", message.text]


@plugin.command()
def shrug(text: str = "") -> Post:
    """Shrug, perhaps after a text."""
    return Post(f"{text} ¯\\_(ツ)_/¯".strip())


@plugin.command("help")
def list_commands(chat: Chat, room: Room, member: Member, language: Language) -> str:
    """List the commands."""
    return "\n".join(
        f"{command.usage} – {language.translate(command.help)}" if command.help else command.usage
        for command in chat.list_commands(room, member)
    )
