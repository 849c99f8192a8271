"""The confusable characters of Unicode UTS 39, in the format of `tools/confusables.py`.

Each line of `confusables.txt` has a prototype, which may be several characters, and the characters
that look like it, as code points.
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
"""The version of the table, and older versions whose dropped pairs it still has."""

PROTOTYPES = _parse(_TEXT)
"""Maps characters to their prototypes; a prototype may have a prototype itself."""
