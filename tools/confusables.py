"""Generates anonchat/text/confusables.txt: `python tools/confusables.py NEWEST OLDER… > FILE`.

Each argument is a confusables.txt published by Unicode with UTS 39. All pairs of the newest one are
used; pairs of older ones are kept too, because fonts still draw them alike.
"""

import re
import sys
import unicodedata
from pathlib import Path

_VERSION = re.compile(r"^# Version: (\S+)$", re.MULTILINE)
_PAIR = re.compile(r"^([0-9A-F]+) *;\s*([0-9A-F ]+?) *;", re.MULTILINE)
_NOTICE = Path(__file__).with_name("unicode-license.txt")

Table = dict[str, str]


def main(paths: list[str]) -> None:
    """Print the table of the newest file, and the pairs that older files add."""
    newest, *older = (Path(path).read_text(encoding="utf-8-sig") for path in paths)
    table = read_table(newest)
    blocks = [_describe(newest, table)]
    for text in older:
        added = find_missing(table, read_table(text))
        table.update(added)
        blocks.append(_describe(text, added))
    notice = "".join(f"# {line}".rstrip() + "\n" for line in _NOTICE.read_text().splitlines())
    sys.stdout.write("# Made by tools/confusables.py; do not edit.\n#\n" + notice)
    sys.stdout.write("".join(blocks))


def read_table(text: str) -> Table:
    """Parse a published file; return the prototype of each character."""
    return {_decode(character): _decode(prototype) for character, prototype in _PAIR.findall(text)}


def find_missing(table: Table, older: Table) -> Table:
    """Return the entries to add to a table so that pairs of an older one have a common prototype.

    If both tables have a prototype for a character, and the prototypes differ in one character,
    one of these becomes the prototype of the other. The newer table wins if they differ in more, or
    in an ASCII character: too many names would match by mistake. Characters that NFC replaces are
    skipped.
    """
    added: Table = {}
    for character, prototype in older.items():
        known = {**table, **added}
        new, old = _resolve(known, character), _resolve(known, prototype)
        if new == old or unicodedata.normalize("NFC", character) != character:
            continue
        if character not in known and character not in old:
            added[character] = old
        elif pair := _find_difference(new, old):
            unmapped = [each for each in pair if each not in known]
            if unmapped:
                added[unmapped[0]] = pair[1 - pair.index(unmapped[0])]
    return added


def _find_difference(one: str, other: str) -> tuple[str, str] | None:
    """Return the only pair of characters in which two texts differ, if neither is ASCII."""
    if len(one) != len(other):
        return None
    pairs = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
    return pairs[0] if len(pairs) == 1 and not any(map(str.isascii, pairs[0])) else None


def _resolve(table: Table, text: str) -> str:
    while True:
        before = text
        for form in ("NFC", "NFD"):
            text = unicodedata.normalize(form, text)
            text = "".join(table.get(character, character) for character in text)
        if text == before:
            return text


def _describe(text: str, table: Table) -> str:
    version = _VERSION.search(text)
    if version is None:
        raise SystemExit("a file has no version line")
    characters: dict[str, list[str]] = {}
    for character, prototype in table.items():
        characters.setdefault(prototype, []).append(character)
    lines = [
        f"{_encode(each)};{_encode(''.join(characters[each]))}\n" for each in sorted(characters)
    ]
    return f"#\n# Version: {version[1]}\n# {len(table)} characters\n{''.join(lines)}"


def _decode(points: str) -> str:
    return "".join(chr(int(point, 16)) for point in points.split())


def _encode(text: str) -> str:
    return " ".join(f"{ord(character):04X}" for character in text)


if __name__ == "__main__":
    main(sys.argv[1:])
