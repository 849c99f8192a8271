"""What `pages/live/feed.js` does with what the server says, without a screen."""

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
    """The rows of one list by their keys, and the question whose answer makes them sure."""

    def __init__(self, rows: list[Packed], *, more: bool) -> None:
        self.more = more
        self.sure = False
        self._lines: dict[str, Line] = {}
        self._question = self._doubted = 0
        self._asked: list[str] = []
        self._fresher: set[str] = set()
        self._put(rows)

    def doubt(self) -> None:
        """The line broke: something may be missing until a question is asked anew and answered."""
        self.sure = False
        self._doubted = self._question

    def ask(self) -> dict[str, Any]:
        """Return the question for what was missed."""
        self.sure = False
        self._question += 1
        self._asked = list(self._lines)
        self._fresher = set()
        return {"question": self._question, "keys": self._asked, "older": self.more}

    def confirm(self) -> None:
        """Nothing was missed while the page was loaded, unless a question had to be asked."""
        self.sure = self.sure or self._question == 0

    def catch_up(self, answer: dict[str, Any]) -> tuple[Line, ...] | None:
        """Take the answer in, if it is the one to the last question; return what it says is there.

        Of what was heard of in between it says nothing: that is newer.
        """
        if answer["question"] != self._question:
            return None
        told = [self._lines[key] for key in answer["keep"] if key in self._lines]
        told += map(read_line, answer["put"])
        kept = {*answer["keep"], *(row[0] for row in answer["put"]), *self._fresher}
        for key in self._asked:
            if key not in kept:
                self._lines.pop(key, None)
        self._asked = []
        if answer["more"] is not None:
            self.more = answer["more"]
        self._put([row for row in answer["put"] if row[0] not in self._fresher])
        self.sure = self._question > self._doubted
        return tuple(told)

    def receive(self, packet: dict[str, Any]) -> None:
        """Take in what happened just now."""
        put, drop = packet.get("put", []), packet.get("drop", [])
        self._put(put)
        for key in drop:
            self._lines.pop(key, None)
        self._fresher.update(row[0] for row in put if row[0] in self._lines)
        self._fresher.update(drop)

    def show(self, now: float) -> tuple[Line, ...]:
        """Forget what has come to its end, and return the others in order."""
        for key in [key for key, line in self._lines.items() if line.until <= now]:
            del self._lines[key]
        return tuple(sorted(self._lines.values(), key=lambda line: line.seq))

    def _put(self, rows: list[Packed]) -> None:
        for row in rows:
            self._lines[row[0]] = read_line(row)
        for key in sorted(self._lines, key=int)[:-CAP]:
            self.more = True
            del self._lines[key]


def read_line(row: Packed) -> Line:
    """Read the message that a row shows."""
    _, order, html = row
    found = _LINE.search(html)
    assert found, f"this row shows no message: {html}"
    return Line(
        seq=order,
        text=unescape(found["text"]),
        author=found["author"],
        until=int(found["until"]) / 1000,
        dedup_id=found["dedup_id"],
    )
