"""Draws messages with the functions of plugins: pure functions, called once for all readers."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from markupsafe import Markup, escape

from ..entities import Message
from .errors import PluginError, error_at
from .injection import Injected, name_of
from .inline_scan import SEARCH_SECONDS, InlineScan
from .invocation import log_failure, measure
from .registrations import InlineMark, Renderer
from .registry import PluginRegistry
from .settings import PluginSettings

_HTML_MAX = 65_536  # characters
_MARKS_MAX = 200  # in one message
_log = logging.getLogger(__name__)


class MessageDrawer:
    """Draws what plugins draw of messages; what fails is shown as plain text and logged."""

    def __init__(self, registry: PluginRegistry) -> None:
        self._renderers: Mapping[str, Renderer] = registry.renderers
        self._marks: Sequence[InlineMark] = registry.inline_marks
        self._scan = InlineScan(registry.inline_marks)
        self._settings = registry.settings

    def draw(self, message: Message) -> Markup | None:
        """Return the content of a message with a kind; `None` if it is shown as plain text."""
        renderer = self._renderers.get(message.kind) if message.kind else None
        if renderer is None:
            return None
        return self._draw(renderer.call, f"renderer of {renderer.kind}", {Message: message}, {})

    def mark(self, texts: Iterable[str]) -> Iterator[str]:
        """Replace what the inline marks find in plain texts; HTML among them stays as it is."""
        parts = list(texts)
        marks = self._marks if self._scan.may_find(parts) else self._scan.others
        for each in marks:
            parts = list(self._apply(each, parts))
        yield from parts

    def _apply(self, each: InlineMark, parts: Iterable[str]) -> Iterator[str]:
        what, marked = f"inline mark {name_of(each.call.function)}", 0
        seconds = SEARCH_SECONDS  # for all parts together
        for part in parts:
            if isinstance(part, Markup) or seconds <= 0:
                yield part
                continue
            end, begun = 0, time.perf_counter()
            try:
                found = each.pattern.finditer(part, timeout=seconds)
                for _, match in zip(range(_MARKS_MAX - marked), found, strict=False):
                    if not match[0]:
                        continue
                    marked += 1
                    html = self._draw(each.call, what, {}, {each.parameter: match})
                    if html is not None:
                        yield part[end : match.start()]
                        yield html
                        end = match.end()
            except TimeoutError:
                _log.warning("plugin %s: %s searched for too long", each.call.plugin, what)
            seconds -= time.perf_counter() - begun
            yield part[end:]

    def _draw(
        self,
        call: Injected,
        what: str,
        values: dict[type, object],
        arguments: Mapping[str, object],
    ) -> Markup | None:
        settings: PluginSettings | None = self._settings.get(call.plugin)
        if settings:
            values[type(settings)] = settings
        try:
            drawn = measure(call, values, arguments, what=what)
            if not isinstance(drawn, str) and not hasattr(drawn, "__html__"):
                _log.error("%s", _error_of_type(call, drawn))
                return None
            html = escape(drawn)
        except Exception as error:
            log_failure(call, what, error)
            return None
        if len(html) > _HTML_MAX:
            _log.warning("plugin %s: %s drew more than 64 kB", call.plugin, what)
            return None
        return html


def _error_of_type(call: Injected, drawn: object) -> PluginError:
    reason = (
        f"{name_of(call.function)} returned neither an element nor a text, "
        f"but a value of the type {type(drawn).__name__}"
    )
    return error_at(call.plugin, call.function, reason)
