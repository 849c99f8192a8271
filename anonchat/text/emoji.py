"""Which texts are one emoji; pure functions."""

import regex

from ..errors import N_, InvalidMessage

_LENGTH_MAX = 40
_AS_EMOJI = "\ufe0f"
_BASE = (
    r"(?:[\p{Emoji_Presentation}--\p{RI}]|[\p{Emoji}--\p{Emoji_Presentation}--\p{ASCII}]\uFE0F"
    r"|\p{Emoji_Modifier_Base}\p{Emoji_Modifier})"
)
_FLAG_OF_A_REGION = r"\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]{3,6}\U000E007F"
_EMOJI = regex.compile(
    rf"\p{{RI}}{{2}}|[0-9#*]\uFE0F\u20E3|{_FLAG_OF_A_REGION}"
    rf"|{_BASE}\p{{Emoji_Modifier}}?(?:\u200D{_BASE}\p{{Emoji_Modifier}}?)*",
    regex.V1,
)
# Characters that are emoji anyway need no selector; others, and keys, do.
_NEEDLESS = regex.compile(r"(?<=\p{Emoji_Presentation})\uFE0F")
_UNSELECTED = regex.compile(r"[\p{Emoji}--\p{Emoji_Presentation}--\p{ASCII}]", regex.V1)
_KEY = regex.compile(r"([0-9#*])\u20E3")


def normalize_emoji(text: str) -> str:
    """Return the emoji, written in one way. Raise `InvalidMessage` if the text is not one emoji.

    >>> normalize_emoji("❤") == normalize_emoji("❤️")
    True
    """
    if isinstance(text, str) and len(text) <= _LENGTH_MAX:
        emoji = str(_KEY.sub(rf"\1{_AS_EMOJI}\u20e3", _NEEDLESS.sub("", text)))
        if _UNSELECTED.fullmatch(emoji):
            emoji += _AS_EMOJI
        if _EMOJI.fullmatch(emoji):
            return emoji
    raise InvalidMessage(N_("A reaction is one emoji."))
