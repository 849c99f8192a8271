"""What the scripts of the pages need to offer emoji."""

from functools import cache

from anonchat import Language

from ..asset_files import ASSETS, asset_url

_FOLDER = "emoji"  # made by tools/emoji.py
_DEFAULT = "en"


@cache
def emoji_properties(language: Language) -> dict[str, object]:
    """Return where the emoji are, and the texts of the dialog in which one is chosen.

    Their names are English in a language that has no file of its own. The groups, each with its
    sign, are in the order of the numbers that the files have.
    """
    _ = language
    has_names = (ASSETS / _FOLDER / f"{language.code}.json").is_file()
    return {
        "url": asset_url(f"{_FOLDER}/{language.code if has_names else _DEFAULT}.json"),
        "texts": {
            "label": _("Emoji"),
            "search": _("Search emoji"),
            "none": _("No emoji found"),
            "failed": _("That did not work. Please try again."),
            "close": _("Close"),
            "groups": [
                ("😀", _("Smileys")),
                ("👋", _("People")),
                ("🐻", _("Animals and nature")),
                ("🍎", _("Food and drink")),
                ("🚗", _("Travel and places")),
                ("⚽", _("Activities")),
                ("💡", _("Objects")),
                ("🔣", _("Symbols")),
                ("🏁", _("Flags")),
            ],
        },
    }
