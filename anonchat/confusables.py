"""The characters that look alike: the data of Unicode UTS 39, as `tools/confusables.py` makes it.

Each line of `confusables.txt` names a prototype, which may be several characters, and the
characters that look like it, all of them as code points.
"""

import re
from pathlib import Path

_TEXT = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8")


def _parse(text: str) -> dict[str, str]:
    prototypes = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            prototype, characters = line.split(";")
            for character in _decode(characters):
                prototypes[character] = _decode(prototype)
    return prototypes


def _decode(points: str) -> str:
    return "".join(chr(int(point, 16)) for point in points.split())


UNICODE_VERSION, *OLDER_VERSIONS = re.findall(r"^# Version: (\S+)$", _TEXT, re.MULTILINE)
"""The version of the table, and older ones of which it has the pairs that were dropped since."""

PROTOTYPES = _parse(_TEXT)
"""The prototype of each character that has one; a prototype may have a prototype in turn."""
