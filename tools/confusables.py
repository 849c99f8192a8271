"""Makes anonchat/confusables.txt: `python tools/confusables.py NEWEST OLDER… > confusables.txt`.

Each argument is a confusables.txt as Unicode publishes it with UTS 39. The newest one is taken
whole. Pairs that only an older one has are kept: fonts still draw them alike.
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
    """Print the table of the newest file and of what older ones add to it."""
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
    """Return the prototype of each character that a published file names."""
    return {_decode(character): _decode(prototype) for character, prototype in _PAIR.findall(text)}


def find_missing(table: Table, older: Table) -> Table:
    """Return what has to be added to a table so that pairs of an older one have one prototype.

    Where both name a prototype of the same character, and these differ in one character, one of
    the two gets the other for its prototype. The newer table holds where they differ in more, or
    in a character of ASCII: too many names would be taken for others by mistake. Characters that
    are never in a composed text (NFC) are left out.
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
            free = [each for each in pair if each not in known]
            if free:
                added[free[0]] = pair[1 - pair.index(free[0])]
    return added


def _find_difference(one: str, other: str) -> tuple[str, str] | None:
    """Return the two characters in which two texts differ, if it is one place and not ASCII."""
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
        raise SystemExit("a file does not name its version")
    alike: dict[str, list[str]] = {}
    for character, prototype in table.items():
        alike.setdefault(prototype, []).append(character)
    lines = [f"{_encode(each)};{_encode(''.join(alike[each]))}\n" for each in sorted(alike)]
    return f"#\n# Version: {version[1]}\n# {len(table)} characters\n{''.join(lines)}"


def _decode(points: str) -> str:
    return "".join(chr(int(point, 16)) for point in points.split())


def _encode(text: str) -> str:
    return " ".join(f"{ord(character):04X}" for character in text)


if __name__ == "__main__":
    main(sys.argv[1:])
