"""Fixtures for browsers on the nodes of a cluster, which is the fixture `cluster` of a module."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.browser.world import BrowserContextPool, World, open_context_pool
from tools.cluster import Cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def context_pool() -> AsyncIterator[BrowserContextPool]:
    async with open_context_pool() as context_pool:
        yield context_pool


@pytest_asyncio.fixture(loop_scope="module")
async def world(cluster: Cluster, context_pool: BrowserContextPool) -> AsyncIterator[World]:
    world = World(cluster, context_pool)
    yield world
    await world.end()
