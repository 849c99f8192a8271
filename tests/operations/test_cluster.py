"""The parts of a cluster, each by itself, and nginx before nodes as deploy/nginx has it."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from deploy.nginx.nodes import write_nodes
from tests.api.program import Program
from tests.browser.house import PATIENCE
from tests.fakes import UNLIMITED
from tests.history.screen import introduce, read_client_id
from tests.operations.test_commands import answer_of, run
from tests.pages.tab import plug_in
from tools.cluster import NGINX, ROOT, Cluster, Nginx, Node, Postgres, Redis, _ask

_ORPHAN = """
import asyncio, os, sys
from pathlib import Path
from tests.operations.test_commands import answer_of, run
from tests.pages.tab import plug_in
from tools.cluster import Redis
redis = Redis(Path(sys.argv[1]))
async def main():
    await redis.prepare()
    await redis.start()
    print(redis.port, flush=True)
asyncio.run(main())
os._exit(9)
"""


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Nginx]:
    """Give nginx before two nodes, each of which is a site by itself."""
    nodes = [Node(name, tmp_path / name, UNLIMITED) for name in ("n1", "n2")]
    nginx = Nginx(tmp_path / "nginx", nodes)
    for part in (*nodes, nginx):
        await part.prepare()
    for node in nodes:
        node.launch()
    for node in nodes:
        await node.wait_until_ready()
    await nginx.start()
    yield nginx
    for part in (nginx, *nodes):
        await part.stop()


@pytest.fixture
async def browser(front: Nginx) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=front.url, timeout=PATIENCE) as browser:
        yield browser


async def test_postgres_and_redis_stop_start_crash_and_hold_their_breath(tmp_path: Path) -> None:
    postgres, redis = Postgres(), Redis(tmp_path / "redis")
    await redis.prepare()
    try:
        for part in (postgres, redis):
            await part.start()
            assert await part.is_ready()
            part.pause()
            assert not await part.is_ready()
            part.resume()
            await part.wait_until_ready()
            part.kill()
            assert not part.is_alive
            assert not await part.is_ready()
            await part.start()
            await part.stop()
            assert not part.is_alive
        await postgres.start()
        await postgres.stop(signal.SIGQUIT)  # what pg_ctl calls immediate
        await postgres.start()
    finally:
        await postgres.stop()
        await redis.stop()
        postgres.remove()
    assert not postgres.folder.exists()
    assert [path.name for path in redis.folder.iterdir()] == ["redis.log"], "nothing is kept"


async def test_a_part_does_not_outlive_whoever_began_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ORPHAN, str(tmp_path / "redis")]
    begun = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True)
    assert begun.returncode == 9, begun.stderr
    async with asyncio.timeout(PATIENCE):
        while await _ask(int(begun.stdout), "PING\r\n"):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    node = Node("n1", tmp_path / "n1", {"port": "no port"})
    await node.prepare()
    with pytest.raises(RuntimeError, match="ANONCHAT_PORT"):
        await node.start()


async def test_a_pages_socket_reaches_the_node_that_drew_it(
    front: Nginx, browser: httpx.AsyncClient
) -> None:
    first, second = front._nodes
    for node, other in ((first, second), (second, first)):
        async with httpx.AsyncClient(base_url=f"http://{node.address}") as direct:
            hello = introduce(read_client_id((await direct.get("/login")).text), tab_id="a tab")
        assert await _shakes_hands(front.url, **hello, node=node.name)
        node.kill()
        assert not await _shakes_hands(front.url, **hello, node=node.name), "it is to load again"
        assert (await browser.get("/login")).status_code == 200
        await node.start()
        assert not await _shakes_hands(front.url, **hello, node=other.name)
        assert not await _shakes_hands(front.url, **hello, node="example.org:80")


async def _shakes_hands(url: str, **hello: str | int) -> bool:
    """Tell whether a socket is welcome; one that is not is told to load its page again."""
    async with asyncio.timeout(PATIENCE), plug_in(url, **hello) as line:
        await line.recv()
        await line.send("40")
        while not (answer := str(await line.recv())).startswith(("40", "44")):
            pass
    return answer.startswith("40")


async def test_while_no_node_lives_a_page_tries_again_and_a_program_is_told_so(
    front: Nginx, browser: httpx.AsyncClient
) -> None:
    for node in front._nodes:
        node.kill()
    page = await browser.get("/r/night-train")
    assert (page.status_code, page.headers["retry-after"]) == (503, "2")
    assert 'http-equiv="refresh"' in page.text
    problem = await browser.get("/api/v1/rooms/mine")
    assert problem.status_code == 503
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["title"] == "Service Unavailable"
    assert "127.0.0.1" not in front.log, "addresses are nobody's business"


async def test_scripts_are_kept_by_nginx_and_all_is_compressed(
    front: Nginx, browser: httpx.AsyncClient
) -> None:
    page = await browser.get("/login")
    assert page.headers["content-encoding"] == "gzip"
    assert "no-store" in page.headers["cache-control"]
    scripts = re.findall(r'["\'](/_nicegui/[^"\']+\.js)["\']', page.text)
    assert scripts
    script = await browser.get(scripts[0])
    assert script.headers["content-encoding"] == "gzip"
    assert "immutable" in script.headers["cache-control"]
    for node in front._nodes:
        node.kill()
    assert (await browser.get(scripts[0])).text == script.text


def test_the_nodes_of_the_example_are_written_by_the_program_that_writes_them() -> None:
    example = {f"n{number}": f"127.0.0.1:808{number}" for number in (1, 2, 3)}
    assert (NGINX / "nodes.conf").read_text() == write_nodes(example)


async def test_three_nodes_are_one_site() -> None:
    async with Cluster(settings=UNLIMITED) as cluster, AsyncExitStack() as stack:
        first, second, third = cluster.nodes
        at = {
            node: Program(
                await stack.enter_async_context(
                    httpx.AsyncClient(base_url=f"http://{node.address}/api/v1", timeout=PATIENCE)
                )
            )
            for node in cluster.nodes
        }
        visitor = await at[first].ask("POST", "/visitors", json={"nickname": "Ann"})
        for program in at.values():
            program.token = visitor["token"]
        await at[first].open("night train")
        async with at[second].listen("night-train") as stream:
            await stream.ready()
            await at[first].say("night-train", "one")
            await stream.until("message", text="one")
            first.kill()
            await at[third].say("night-train", "two")
            await stream.until("message", text="two")
            async with httpx.AsyncClient(base_url=cluster.url, timeout=PATIENCE) as browser:
                for _ in cluster.nodes:
                    assert (await browser.get("/login")).status_code == 200
            await first.start()
            said = (await at[first].read("night-train"))["items"]
            assert [message["text"] for message in said] == ["one", "two"]
            assert answer_of(await run(third.data, "close-room", "night-train", "--json")) == {
                "messages": 2
            }
            assert (await stream.rest())[-1].kind == "ended"
        settings = {name: value for name, value in first.settings.items() if "url" in name}
        settings["secret_key"] = first.settings["secret_key"]
        assert "well   bus: answers" in (await run(first.data, "check", **settings)).stdout
        cluster.redis.kill()
        assert "WRONG  bus: does not answer" in (await run(first.data, "check", **settings)).stdout
        await cluster.redis.start()
