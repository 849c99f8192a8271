"""Two actions: a button in the header of rooms, and an item in the menu of messages."""

from random import choice

from anonchat.plugins import Member, Message, Plugin, Post, Room

plugin = Plugin("actions")


@plugin.action("Flip a coin", icon="dice")
def flip(room: Room, member: Member) -> str:
    return f"{member.nickname}, the coin of {room.name} shows {choice(['heads', 'tails'])}."


@plugin.action("Applaud", where="message")
def applaud(message: Message) -> Post:
    return Post(f"👏 {message.nickname}")
