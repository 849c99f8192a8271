"""What the tests of plugins are told about mistakes of their own."""

import pytest

from anonchat.plugins import Plugin
from anonchat.plugins.testing import chat_with


@pytest.mark.parametrize(
    ("name", "hint"),
    [("message_tll", "; the nearest is message_ttl"), ("xyzzy", "; docs/settings.md lists them")],
)
async def test_a_setting_that_is_not_known_is_named(name: str, hint: str) -> None:
    with pytest.raises(TypeError) as failed:
        async with chat_with(Plugin("mine"), **{name: "10m"}):  # type: ignore[arg-type]
            pass
    assert f"{failed.value}" == f"{name} is not a setting{hint}"


async def test_an_action_that_does_not_exist_is_named() -> None:
    plugin = Plugin("mine")
    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(LookupError) as failed:
            await ann.act(room, "nope")
    assert f"{failed.value}" == "there is no action 'nope'; there are none"
    plugin.action("Roll")(lambda: None)

    @plugin.action("Flip")
    def flip() -> None: ...

    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(LookupError) as failed:
            await ann.act(room, "nope")
    assert f"{failed.value}" == "there is no action 'nope'; there are 'Roll', 'Flip'"
