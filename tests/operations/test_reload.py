"""`python main.py --reload`: restarts after a change, and waits while there is an error."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest

from tests.api.api_client import ApiClient
from tests.fakes import UNLIMITED
from tests.timeouts import DEADLINE
from tools.servers.node import Node

PLUGIN = """\
from anonchat.plugins import Plugin

plugin = Plugin("saying")

@plugin.router.get("/text")
def say() -> str:
    return "one"
"""
WAITING = "the server has stopped; waiting for the next save"


class ReloadingNode(Node):
    """A server that is restarted when a plugin changes."""

    def command(self) -> Sequence[str | Path]:
        return [sys.executable, self.program, "--reload"]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[ReloadingNode]:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "saying.py").write_text(PLUGIN)
    (tmp_path / "words").mkdir()
    settings = {"plugins": f"{tmp_path}/plugins", "locale_dir": f"{tmp_path}/words"}
    async with ReloadingNode("server", tmp_path / "site", UNLIMITED | settings) as node:
        yield node


async def wait_for_text(node: ReloadingNode, text: str) -> None:
    async with asyncio.timeout(DEADLINE), httpx.AsyncClient() as http:
        while True:
            try:
                answer = await http.get(f"{node.url}/plugins/saying/text")
                if answer.is_success and answer.json() == text:
                    return
            except httpx.HTTPError:
                pass  # it is restarting
            await asyncio.sleep(0.05)


async def wait_for_log(node: ReloadingNode, text: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while text not in node.log:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_changes_restart_the_server_and_rooms_stay(
    node: ReloadingNode, tmp_path: Path
) -> None:
    file = tmp_path / "plugins" / "saying.py"
    await wait_for_text(node, "one")
    async with httpx.AsyncClient(base_url=f"{node.url}/api/v1", timeout=DEADLINE) as http:
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        ann = ApiClient(http, visitor["token"])
        await ann.open("night train")
        await ann.say("night-train", "hello")

        (tmp_path / "plugins" / "notes.txt").write_text("this is not watched")
        (tmp_path / "plugins" / "test_saying.py").write_text("nor is this")
        file.write_text(PLUGIN.replace("one", "two"))
        await wait_for_text(node, "two")
        assert "hello" in str(await ann.read("night-train"))

    file.write_text(f"{PLUGIN}\nnothing.here()\n")
    line = f"plugin saying ({file}, line 9): NameError: name 'nothing' is not defined\n"
    await wait_for_log(node, line)
    await wait_for_log(node, WAITING)
    assert node.is_alive
    assert "Traceback" not in node.log
    file.write_text(PLUGIN.replace("one", "three"))
    await wait_for_text(node, "three")
    assert node.log.count(line) == 1

    (tmp_path / "words" / "en.po").write_text('msgid ""\nmsgstr ""\n')
    await wait_for_log(node, "en.po changed, restarting")
    await wait_for_text(node, "three")
    assert "notes.txt" not in node.log
    assert "test_saying.py" not in node.log
    assert node.log.count(WAITING) == 1
    await node.stop()
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient() as http:
            await http.get(node.url)


async def test_a_plugin_that_is_broken_at_first_is_waited_for(
    tmp_path: Path,
) -> None:
    file = tmp_path / "saying.py"
    node = ReloadingNode("server", tmp_path / "site", {**UNLIMITED, "plugins": str(file)})
    node.launch()
    try:
        await wait_for_log(node, f"plugin {file}: there is no such file or folder")
        file.write_text(PLUGIN)
        await wait_for_text(node, "one")
    finally:
        node.kill()
