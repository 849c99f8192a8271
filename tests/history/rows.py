"""The logic of `pages/elements/live_list.js` in Python, without a DOM."""

import re
from html import unescape
from typing import Any

from tests.history.record import Line

CAP = 300
_LINE = re.compile(
    r'data-group="(?P<author>[^"]*)".*?data-dedup="(?P<dedup_id>[^"]*)".*?'
    r'data-until="(?P<until>\d+)".*?<div class="text"[^>]*>(?P<text>[^<]*)</div>',
    re.DOTALL,
)

Packed = list[Any]


class Rows:
    """The rows of one list by their keys, and the state of its synchronization."""

    def __init__(self, rows: list[Packed], *, more: bool) -> None:
        self.more = more
        self.is_synced = False
        self._lines: dict[str, Line] = {}
        self._question = self._question_at_disconnect = 0
        self._requested_keys: list[str] = []
        self._changed_keys: set[str] = set()
        self._put(rows)

    def mark_disconnected(self) -> None:
        """Mark the list as incomplete until a new sync is answered, because the socket closed."""
        self.is_synced = False
        self._question_at_disconnect = self._question

    def request_sync(self) -> dict[str, Any]:
        """Return a sync request for missed changes."""
        self.is_synced = False
        self._question += 1
        self._requested_keys = list(self._lines)
        self._changed_keys = set()
        return {"question": self._question, "keys": self._requested_keys, "older": self.more}

    def confirm_initial(self) -> None:
        """Mark the list as complete after loading the page, unless a sync was requested."""
        self.is_synced = self.is_synced or self._question == 0

    def catch_up(self, answer: dict[str, Any]) -> tuple[Line, ...] | None:
        """Apply the response to the last sync request, and return the lines that it contains.

        Rows that changed after the request are newer than the response, and stay. Returns `None`
        for the response to an earlier request.
        """
        if answer["question"] != self._question:
            return None
        lines = [self._lines[key] for key in answer["keep"] if key in self._lines]
        lines += map(read_line, answer["put"])
        kept = {*answer["keep"], *(row[0] for row in answer["put"]), *self._changed_keys}
        for key in self._requested_keys:
            if key not in kept:
                self._lines.pop(key, None)
        self._requested_keys = []
        if answer["more"] is not None:
            self.more = answer["more"]
        self._put([row for row in answer["put"] if row[0] not in self._changed_keys])
        self.is_synced = self._question > self._question_at_disconnect
        return tuple(lines)

    def receive(self, packet: dict[str, Any]) -> None:
        """Apply an update packet."""
        put, drop = packet.get("put", []), packet.get("drop", [])
        self._put(put)
        for key in drop:
            self._lines.pop(key, None)
        self._changed_keys.update(row[0] for row in put if row[0] in self._lines)
        self._changed_keys.update(drop)

    def show(self, now: float) -> tuple[Line, ...]:
        """Remove expired rows, and return the others in order."""
        for key in [key for key, line in self._lines.items() if line.expires_at <= now]:
            del self._lines[key]
        return tuple(sorted(self._lines.values(), key=lambda line: line.seq))

    def _put(self, rows: list[Packed]) -> None:
        for row in rows:
            self._lines[row[0]] = read_line(row)
        for key in sorted(self._lines, key=int)[:-CAP]:
            self.more = True
            del self._lines[key]


def read_line(row: Packed) -> Line:
    """Parse the message in a row."""
    _, order, html = row
    found = _LINE.search(html)
    assert found, f"no message in this row: {html}"
    return Line(
        seq=order,
        text=unescape(found["text"]),
        author=found["author"],
        expires_at=int(found["until"]) / 1000,
        dedup_id=found["dedup_id"],
    )
