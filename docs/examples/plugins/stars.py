"""A kind of message: `/rate Dune 4` is drawn as stars."""

from typing import Annotated

from htpy import Element, b, span
from pydantic import Field

from anonchat.plugins import Message, Plugin, Post

plugin = Plugin("stars")


@plugin.command()
def rate(title: str, stars: Annotated[int, Field(ge=1, le=5)]) -> Post:
    """Rate something: /rate "The Left Hand" 5."""
    return Post(f"{title}: {stars}/5", kind="stars", data={"title": title, "stars": stars})


@plugin.renderer("stars")
def draw(message: Message) -> Element:
    stars = message.data["stars"]
    return span[b[message.data["title"]], " ", "★" * stars, "☆" * (5 - stars)]
