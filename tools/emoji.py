"""Makes pages/assets/emoji/: `python -m tools.emoji FOLDER`.

The folder is that of the npm package emojibase-data, which `npm pack` downloads. Its version and
that of the newest emoji are below: fonts draw an emoji only some years after it was published.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from anonchat.text.emoji import normalize_emoji

_VERSION = "17.0.0"
_NEWEST = 16
_LANGUAGES = ("en", "ru")
_CODES = ("github", "iamcal", "emojibase")  # the first one that has a code says whose it is
_COMPONENTS = 2  # the group of skin tones and hair
_TARGET = Path(__file__).parents[1] / "pages" / "assets" / "emoji"
_UNICODE_LICENSE = Path(__file__).with_name("unicode-license.txt")
_WORD = re.compile(r"[\w+-]+")

Entry = dict[str, Any]


def main(folder: Path) -> None:
    """Write the emoji for each language, and the licences of their data."""
    version = _read(folder / "package.json")["version"]
    assert version == _VERSION, f"expected version {_VERSION}, not {version}"
    entries = {language: _read(folder / language / "data.json") for language in _LANGUAGES}
    english = [each for each in entries["en"] if _is_offered(each)]
    english.sort(key=lambda each: (each["group"], each["order"]))
    codes = _assign_codes(folder)
    _TARGET.mkdir(exist_ok=True)
    for language, translated in entries.items():
        by_code_point = {each["hexcode"]: each for each in translated}
        lines = [
            _describe(by_code_point[each["hexcode"]], each, codes[each["hexcode"]])
            for each in english
        ]
        content = ",\n".join(
            json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in lines
        )
        (_TARGET / f"{language}.json").write_text(f"[\n{content}\n]\n")
    (_TARGET / "LICENSE.txt").write_text(
        f"Made by tools/emoji.py from emojibase-data {version}, and from data of Unicode in it.\n\n"
        f"{(folder / 'LICENSE').read_text()}\n{_UNICODE_LICENSE.read_text()}"
    )


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


def _is_offered(entry: Entry) -> bool:
    return entry.get("group") not in (None, _COMPONENTS) and entry["version"] <= _NEWEST


def _assign_codes(folder: Path) -> dict[str, list[str]]:
    """Return the codes of each emoji, such as `wave`; no code is of two emoji."""
    taken: set[str] = set()
    codes: dict[str, list[str]] = {}
    for name in _CODES:
        for code_point, given in _read(folder / "en" / "shortcodes" / f"{name}.json").items():
            for code in [given] if isinstance(given, str) else given:
                if code not in taken:
                    taken.add(code)
                    codes.setdefault(code_point, []).append(code)
    return codes


def _describe(entry: Entry, english: Entry, codes: list[str]) -> list[str | int]:
    """Return the emoji, its group, name, codes and further words that find it, English ones too."""
    name = _find_words(entry["label"])
    texts = [*entry.get("tags", []), english["label"], *english.get("tags", [])]
    words = dict.fromkeys(word for text in texts for word in _find_words(text) if word not in name)
    group = english["group"] - (english["group"] > _COMPONENTS)
    return [
        normalize_emoji(english["emoji"]),
        group,
        entry["label"],
        " ".join(codes),
        " ".join(words),
    ]


def _find_words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
