"""The examples of reverse proxies, each in front of nodes that are separate sites."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes import UNLIMITED
from tests.history.screen import introduce, read_client_id
from tests.operations.proxies import Caddy, DocumentedNginx, HAProxy, LimitedNginx, Traefik
from tests.pages.tab import open_websocket
from tests.servers.forked_node import ForkedNode
from tests.timeouts import DEADLINE
from tools.servers.nginx import Nginx
from tools.servers.node import Node
from tools.servers.process import ManagedProcess

_NODE = re.compile(r"['\"]node['\"]: ['\"](n\d)['\"]")
_IGNORED_FORWARDED_HEADERS = "X-Forwarded-For header"

MakeProxy = Callable[[Path, Sequence[Node]], HAProxy | Caddy | Traefik | Nginx]


@asynccontextmanager
async def _running(proxy: ManagedProcess, nodes: Sequence[Node]) -> AsyncIterator[None]:
    """Run the nodes and the proxy."""
    try:
        if isinstance(proxy, Nginx):
            proxy.write_configuration()
        for node in nodes:
            node.launch()
        for node in nodes:
            await node.wait_until_ready()
        await proxy.start()
        yield
    finally:
        await proxy.stop()
        await asyncio.gather(*(node.stop() for node in nodes))


def _make_nodes(folder: Path, number: int) -> list[Node]:
    names = [f"n{n}" for n in range(1, number + 1)]
    return [ForkedNode(name, folder / name, {**UNLIMITED, "node_id": name}) for name in names]


@pytest.mark.parametrize("make", [Nginx, HAProxy, Caddy, Traefik])
async def test_socket_reaches_the_node_of_its_page_or_any_other_if_that_is_dead(
    make: MakeProxy, tmp_path: Path
) -> None:
    nodes = _make_nodes(tmp_path, 3)
    proxy = make(tmp_path / "proxy", nodes)
    async with (
        _running(proxy, nodes),
        httpx.AsyncClient(base_url=proxy.url, timeout=DEADLINE) as browser,
    ):
        for _ in nodes:
            query = await _load_page(browser)
            assert await _is_accepted(proxy.url, **query)
        dead = next(node for node in nodes if node.name == query["node"])
        dead.kill()
        assert not await _is_accepted(proxy.url, **query), "the page of a dead node was accepted"
        for _ in nodes:
            query = await _load_page(browser)
            assert query["node"] != dead.name
            assert await _is_accepted(proxy.url, **query)
        assert not [node.name for node in nodes if _IGNORED_FORWARDED_HEADERS in node.log]


async def test_nginx_block_of_the_documentation_forwards_pages_and_sockets(tmp_path: Path) -> None:
    (node,) = nodes = _make_nodes(tmp_path, 1)
    proxy = DocumentedNginx(tmp_path / "proxy", node.address)
    async with (
        _running(proxy, nodes),
        httpx.AsyncClient(base_url=proxy.url, timeout=DEADLINE) as browser,
    ):
        assert await _is_accepted(proxy.url, **await _load_page(browser))
        assert _IGNORED_FORWARDED_HEADERS not in node.log


@pytest.mark.parametrize("make", [LimitedNginx, HAProxy])
async def test_proxy_limits_the_connections_of_one_address(
    make: type[LimitedNginx] | type[HAProxy], tmp_path: Path
) -> None:
    nodes = _make_nodes(tmp_path, 3)
    proxy = make(tmp_path / "proxy", nodes, connections=3)
    async with _running(proxy, nodes):
        opened = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(3)]
        for _, writer in opened:
            await _start_request(writer)
        assert not await _is_served(proxy.port)
        for _, writer in opened:
            writer.close()
        async with asyncio.timeout(DEADLINE):
            while not await _is_served(proxy.port):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)


async def _load_page(browser: httpx.AsyncClient) -> dict[str, Any]:
    """Load a page; return the query of its socket."""
    page = (await browser.get("/login")).text
    node = _NODE.search(page)
    assert node
    return {**introduce(read_client_id(page), tab_id="a tab"), "node": node[1]}


async def _is_accepted(url: str, **query: Any) -> bool:
    """Return whether a socket is accepted; a rejected one makes its page reload."""
    async with asyncio.timeout(DEADLINE), open_websocket(url, **query) as socket:
        await socket.recv()
        await socket.send("40")
        while not (answer := str(await socket.recv())).startswith(("40", "44")):
            pass
    return answer.startswith("40")


async def _start_request(writer: asyncio.StreamWriter) -> None:
    """Send the head of a request whose body never comes."""
    writer.write(b"POST /session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
    await writer.drain()


async def _is_served(port: int) -> bool:
    """Return whether a new connection gets a page."""
    try:
        async with httpx.AsyncClient(timeout=DEADLINE) as browser:
            response = await browser.get(f"http://127.0.0.1:{port}/healthz")
    except httpx.TransportError:
        return False
    return response.status_code == 200
