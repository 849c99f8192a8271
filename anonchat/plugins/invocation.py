"""Calls the functions of plugins: with a deadline, and with a log line if one fails or blocks."""

import inspect
import logging
import time
import types
from collections.abc import Awaitable, Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ChatError
from ..runtime.deadline import deadline
from .errors import PluginFailed, find_place, place_of
from .injection import Injected

_BLOCKED_SECONDS = 0.1
_NONE: Mapping[str, object] = {}
_log = logging.getLogger(__name__)

Values = Mapping[type, object]
Arguments = Mapping[str, object]  # by name


async def invoke(
    call: Injected,
    values: Values,
    arguments: Arguments = _NONE,
    *,
    what: str,
    seconds: float,
) -> Any:
    """Call a function and return its result; it has a number of seconds for it.

    Errors of the chat (`Refused` and others) are raised as they are. Any other error, and the end
    of its time, is logged with the plugin's name and raises `PluginFailed`.
    """
    try:
        started = time.perf_counter()
        result = measure(call, values, arguments, what=what)
        if time.perf_counter() - started > seconds:
            raise TimeoutError
        if result is not None and inspect.isawaitable(result):
            result = await _await(call, result, what, seconds)
        return result
    except ChatError:
        raise
    except TimeoutError as error:
        _log.warning("plugin %s: %s took more than %s s", call.plugin, what, seconds)
        raise PluginFailed from error
    except Exception as error:
        log_failure(call, what, error)
        raise PluginFailed from error


async def call_alone(call: Injected, values: Values, *, what: str, seconds: float) -> None:
    """Call a function that nobody waits for: errors of the chat are logged too, as warnings."""
    try:
        await invoke(call, values, what=what, seconds=seconds)
    except PluginFailed:
        pass  # logged
    except ChatError as error:
        file, _ = place_of(call.function)
        where, name = _locate(Path(file) if file else None, error), type(error).__name__
        _log.warning("plugin %s: %s was refused%s: %s", call.plugin, what, where, name)


async def _await(call: Injected, awaitable: Awaitable[Any], what: str, seconds: float) -> Any:
    """Await something within a deadline; what does not wait at all needs none, and costs less."""
    steps = watch_blocking(awaitable, report_blocking(call.plugin, what))
    try:
        waited = next(steps)
    except StopIteration as stop:
        return stop.value
    except TimeoutError as error:
        raise _fail(call, what, error) from error
    async with deadline(seconds):
        try:
            return await _resume(steps, waited)
        except TimeoutError as error:
            raise _fail(call, what, error) from error


def _fail(call: Injected, what: str, error: TimeoutError) -> PluginFailed:
    """Return what is raised for a timeout of the plugin's own, such as that of a request."""
    log_failure(call, what, error)
    return PluginFailed()


@types.coroutine
def _resume(steps: Generator[Any, Any, Any], waited: Any) -> Generator[Any, Any, Any]:
    """Go on with steps that have come to where they wait for something."""
    while True:
        try:
            value = yield waited
        except BaseException as error:  # passed on: a cancellation, for example
            step = _thrower(steps, error)
        else:
            step = _sender(steps, value)
        try:
            waited = step()
        except StopIteration as stop:
            return stop.value


def log_failure(call: Injected, what: str, error: Exception) -> None:
    """Log that a function failed, with the file and line in its plugin, but without its text."""
    file, _ = place_of(call.function)
    log_error(call.plugin, Path(file) if file else None, what, error)


def log_error(plugin: str, file: Path | None, what: str, error: Exception) -> None:
    """Log that something of a plugin failed, as `log_failure` does."""
    _log.error("plugin %s: %s failed%s", plugin, what, _locate(file, error), exc_info=error)


def _locate(file: Path | None, error: Exception) -> str:
    place = find_place(error, file.parent) if file else None
    return f" in {Path(place[0]).name}, line {place[1]}" if place else ""


def measure(call: Injected, values: Values, arguments: Arguments, *, what: str) -> Any:
    """Call a function; log it if it blocks the event loop."""
    started = time.perf_counter()
    try:
        return call.call(values, arguments)
    finally:
        if (seconds := time.perf_counter() - started) > _BLOCKED_SECONDS:
            report_blocking(call.plugin, what)(seconds)


def report_blocking(plugin: str, what: str) -> Callable[[float], None]:
    """Return a function that logs that something blocked the event loop, if it took too long."""

    def report(seconds: float) -> None:
        if seconds > _BLOCKED_SECONDS:
            _log.warning("plugin %s: %s blocked all visitors for %.1f s", plugin, what, seconds)

    return report


@types.coroutine
def watch_blocking(
    awaitable: Awaitable[Any], report: Callable[[float], None]
) -> Generator[Any, Any, Any]:
    """Await something; report how long it runs each time before it waits."""
    steps = awaitable.__await__()
    step, value = steps.__next__, None
    while True:
        started = time.perf_counter()
        try:
            waited = step()
        except StopIteration as stop:
            return stop.value
        finally:
            report(time.perf_counter() - started)
        try:
            value = yield waited
        except BaseException as error:  # passed on: a cancellation, for example
            step = _thrower(steps, error)
        else:
            step = _sender(steps, value)


def _thrower(steps: Generator[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: steps.throw(error)


def _sender(steps: Generator[Any, Any, Any], value: object) -> Callable[[], Any]:
    return lambda: steps.send(value)
