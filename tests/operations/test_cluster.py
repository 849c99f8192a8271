"""The processes of a cluster, and nginx in front of nodes with the files of deploy/nginx."""

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
from tests.api.api_client import ApiClient
from tests.fakes import UNLIMITED
from tests.history.screen import introduce, read_client_id
from tests.operations.test_commands import parse_result, run
from tests.pages.tab import open_websocket
from tests.servers.forked_node import ForkedNode
from tests.timeouts import DEADLINE
from tools.cluster import Cluster
from tools.servers.nginx import NGINX, Nginx
from tools.servers.node import Node
from tools.servers.postgres import Postgres
from tools.servers.process import ROOT
from tools.servers.redis import Redis
from tools.servers.request import request

_PARENT_SCRIPT = """
import asyncio, os, sys
from pathlib import Path
from tools.servers.redis import Redis
redis = Redis(Path(sys.argv[1]))
async def main():
    await redis.start()
    print(redis.port, flush=True)
asyncio.run(main())
os._exit(9)
"""


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Nginx]:
    """Start nginx in front of two nodes, each of which is a separate site."""
    settings = {**UNLIMITED, "trusted_proxies": "127.0.0.1"}
    nodes = [
        ForkedNode(name, tmp_path / name, {**settings, "node_id": name}) for name in ("n1", "n2")
    ]
    nginx = Nginx(tmp_path / "nginx", nodes)
    nginx.write_configuration()
    for node in nodes:
        node.launch()
    for node in nodes:
        await node.wait_until_ready()
    await nginx.start()
    yield nginx
    for process in (nginx, *nodes):
        await process.stop()


@pytest.fixture
async def browser(front: Nginx) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=front.url, timeout=DEADLINE) as browser:
        yield browser


async def test_postgres_and_redis_can_be_stopped_started_killed_and_paused(tmp_path: Path) -> None:
    postgres, redis = Postgres(), Redis(tmp_path / "redis")
    try:
        for process in (postgres, redis):
            await process.start()
            assert await process.is_ready()
            process.pause()
            assert not await process.is_ready()
            process.resume()
            await process.wait_until_ready()
            process.kill()
            assert not process.is_alive
            assert not await process.is_ready()
            await process.start()
            await process.stop()
            assert not process.is_alive
        await postgres.start()
        await postgres.stop(signal.SIGQUIT)  # immediate shutdown
        await postgres.start()
    finally:
        await postgres.stop()
        await redis.stop()
        postgres.remove()
    assert not postgres.folder.exists()
    assert [path.name for path in redis.folder.iterdir()] == ["redis.log"], (
        "Redis has written other files"
    )


async def test_process_does_not_outlive_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PARENT_SCRIPT, str(tmp_path / "redis")]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True)
    assert done.returncode == 9, done.stderr
    async with asyncio.timeout(DEADLINE):
        while await request(int(done.stdout), "PING\r\n"):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_node_that_cannot_start_reports_why(tmp_path: Path) -> None:
    node = Node("n1", tmp_path / "n1", {"port": "no port"})
    with pytest.raises(RuntimeError, match="ANONCHAT_PORT"):
        await node.start()


async def test_socket_of_a_page_reaches_the_node_that_rendered_it(
    front: Nginx, browser: httpx.AsyncClient
) -> None:
    first, second = front._nodes
    for node, other in ((first, second), (second, first)):
        async with httpx.AsyncClient(base_url=f"http://{node.address}") as direct:
            query = introduce(read_client_id((await direct.get("/login")).text), tab_id="a tab")
        assert await _is_accepted(front.url, **query, node=node.name)
        node.kill()
        assert not await _is_accepted(front.url, **query, node=node.name), (
            "the page of a dead node was accepted"
        )
        assert (await browser.get("/login")).status_code == 200
        await node.start()
        assert not await _is_accepted(front.url, **query, node=other.name)
        assert not await _is_accepted(front.url, **query, node="example.org:80")


async def _is_accepted(url: str, **query: str | int) -> bool:
    """Return whether a socket is accepted; a rejected one makes its page reload."""
    async with asyncio.timeout(DEADLINE), open_websocket(url, **query) as socket:
        await socket.recv()
        await socket.send("40")
        while not (answer := str(await socket.recv())).startswith(("40", "44")):
            pass
    return answer.startswith("40")


async def test_pages_retry_and_api_returns_503_while_no_node_is_alive(
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
    assert "127.0.0.1" not in front.log, "the log contains client addresses"


async def test_nginx_caches_scripts_and_compresses_responses(
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


def test_example_nodes_conf_is_up_to_date() -> None:
    example = {f"n{number}": f"127.0.0.1:808{number}" for number in (1, 2, 3)}
    assert (NGINX / "nodes.conf").read_text() == write_nodes(example)


async def test_three_nodes_form_one_site() -> None:
    async with Cluster(settings=UNLIMITED) as cluster, AsyncExitStack() as stack:
        first, second, third = cluster.nodes
        clients = {
            node: ApiClient(
                await stack.enter_async_context(
                    httpx.AsyncClient(base_url=f"http://{node.address}/api/v1", timeout=DEADLINE)
                )
            )
            for node in cluster.nodes
        }
        visitor = await clients[first].ask("POST", "/visitors", json={"nickname": "Ann"})
        for program in clients.values():
            program.token = visitor["token"]
        await clients[first].open("night train")
        async with clients[second].listen("night-train") as stream:
            await stream.ready()
            await clients[first].say("night-train", "one")
            await stream.until("message", text="one")
            first.kill()
            await clients[third].say("night-train", "two")
            await stream.until("message", text="two")
            async with httpx.AsyncClient(base_url=cluster.url, timeout=DEADLINE) as browser:
                for _ in cluster.nodes:
                    assert (await browser.get("/login")).status_code == 200
            await first.start()
            messages = (await clients[first].read("night-train"))["items"]
            assert [message["text"] for message in messages] == ["one", "two"]
            assert parse_result(await run(third.data, "close-room", "night-train", "--json")) == {
                "messages": 2,
                "closed_until": None,
            }
            assert (await stream.rest())[-1].kind == "ended"
        settings = {name: value for name, value in first.settings.items() if "url" in name}
        settings["secret_key"] = first.settings["secret_key"]
        assert "ok      bus: answers" in (await run(first.data, "check", **settings)).stdout
        cluster.redis.kill()
        assert "FAILED  bus: does not answer" in (await run(first.data, "check", **settings)).stdout
        await cluster.redis.start()
