"""The logic of `pages/elements/live_list.js` in Python, without a DOM."""

import re
from html import unescape
from typing import Any

from tests.history.record import Line, read_edition

CAP = 300
_LINE = re.compile(
    r'data-group="(?P<author>[^"]*)".*?data-dedup="(?P<dedup_id>[^"]*)".*?'
    r'data-revision="(?P<revision>\d+)".*?'
    r'data-until="(?P<until>\d+)".*?<div class="text"[^>]*>(?P<text>[^<]*)</div>',
    re.DOTALL,
)
_REACTION = re.compile(r'data-emoji="([^"]*)" data-authors="([^"]*)"')

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
        self._changes: dict[str, Packed] = {}  # of rows that were not shown when they arrived
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
        self._changes = {}
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
        put = [self._with_changes(row) for row in answer["put"]]
        lines += map(read_line, answer["put"])
        kept = {*answer["keep"], *(row[0] for row in answer["put"]), *self._changed_keys}
        for key in self._requested_keys:
            if key not in kept:
                self._lines.pop(key, None)
        self._requested_keys = []
        if answer["more"] is not None:
            self.more = answer["more"]
        self._put([row for row in put if row[0] not in self._changed_keys])
        self.is_synced = self._question > self._question_at_disconnect
        return tuple(lines)

    def receive(self, packet: dict[str, Any]) -> None:
        """Apply an update packet. A row without an order only replaces one that is shown."""
        put, drop = packet.get("put", []), packet.get("drop", [])
        self._changes.update((row[0], row) for row in put if row[1] is None)
        for row in put:
            if row[1] is not None or row[0] in self._lines:
                self._put([self._with_order(row)])
        for key in drop:
            self._lines.pop(key, None)
        self._changed_keys.update(row[0] for row in put if row[0] in self._lines)
        self._changed_keys.update(drop)

    def show(self, now: float) -> tuple[Line, ...]:
        """Remove expired rows, and return the others in order."""
        for key in [key for key, line in self._lines.items() if line.expires_at <= now]:
            del self._lines[key]
        return tuple(sorted(self._lines.values(), key=lambda line: line.seq))

    def _with_order(self, row: Packed) -> Packed:
        return row if row[1] is not None else [row[0], self._lines[row[0]].seq, row[2]]

    def _with_changes(self, row: Packed) -> Packed:
        """Return a row of a response as it is after the changes that came meanwhile."""
        change = self._changes.get(row[0])
        return [row[0], row[1], change[2]] if change else row

    def _put(self, rows: list[Packed]) -> None:
        for row in rows:
            line = read_line(row)
            if row[0] not in self._lines or self._lines[row[0]].revision <= line.revision:
                self._lines[row[0]] = line
        for key in sorted(self._lines, key=int)[:-CAP]:
            self.more = True
            del self._lines[key]


def read_line(row: Packed) -> Line:
    """Parse the message in a row."""
    _, order, html = row
    found = _LINE.search(html)
    assert found, f"no message in this row: {html}"
    text, edition = read_edition(unescape(found["text"]))
    reactions = [(unescape(emoji), len(by.split())) for emoji, by in _REACTION.findall(html)]
    return Line(
        seq=order,
        text=text,
        author=found["author"],
        expires_at=int(found["until"]) / 1000,
        dedup_id=found["dedup_id"],
        revision=int(found["revision"]),
        edition=edition,
        reactions=tuple(sorted(reactions)),
    )
