"""A command with two arguments: `/greet Ann 2`."""

from typing import Annotated

from pydantic import Field

from anonchat.plugins import Plugin, Post

plugin = Plugin("greeting")


@plugin.command(cooldown="3s")
def greet(name: str, times: Annotated[int, Field(ge=1, le=3)] = 1) -> Post:
    """Greet somebody, up to three times."""
    return Post(f"{'Hello ' * times}{name}!")
