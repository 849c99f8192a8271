"""The cache of how NiceGUI inspects handlers."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

import pytest
from nicegui import Client, helpers, html, ui

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("web")]


class _Page:
    def show(self) -> None: ...

    def select(self, _row: int) -> None: ...

    def scroll(self, _row: int = 0, *_more: int, **_options: int) -> None: ...

    def __call__(self, _row: int) -> None: ...


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> list[Callable[..., Any]]:
    """Return the handlers that NiceGUI inspects."""
    handlers: list[Callable[..., Any]] = []

    def inspect(handler: Callable[..., Any]) -> object:
        handlers.append(handler)
        return signature(handler)

    monkeypatch.setattr("nicegui.helpers.functions.signature", inspect)
    return handlers


async def test_elements_are_created_without_inspecting_their_methods_again(
    inspected: list[Callable[..., Any]],
) -> None:
    for _ in range(2):
        inspected.clear()
        with (client := Client(ui.page(""))):
            html.p("Hello").classes("lead").style("color: red").props("lang=en")
        client.delete()
    assert inspected == []


async def test_objects_of_a_class_are_inspected_once(
    inspected: list[Callable[..., Any]],
) -> None:
    class Handler:
        def __call__(self, _row: int) -> None: ...

    for _ in range(2):
        assert helpers.expects_arguments(Handler())
    assert len(inspected) == 1


@pytest.mark.parametrize(
    ("handler", "expects_arguments"),
    [
        (_Page().show, False),
        (_Page().select, True),
        (_Page().scroll, False),
        (_Page(), True),
        (partial(_Page().select, 1), False),
        (lambda: None, False),
        (lambda row: row, True),
    ],
)
async def test_handlers_expect_the_arguments_of_their_signature(
    handler: Callable[..., Any], expects_arguments: bool
) -> None:
    for _ in range(2):
        assert helpers.expects_arguments(handler) is expects_arguments


async def test_functions_are_not_kept(inspected: list[Callable[..., Any]]) -> None:
    def handler() -> None: ...

    for _ in range(2):
        helpers.expects_arguments(handler)
    assert inspected == [handler, handler]
