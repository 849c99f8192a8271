"""The field of a secret phrase, at the login and in the settings."""

from typing import Any

from nicegui import html

from anonchat import Language

from .elements.secret_field import SecretField

_CHARACTERS_MAX = 400


def show_phrase_field(language: Language, **attributes: Any) -> SecretField:
    """Create the field, named `phrase`, and the text that says what the phrase is for."""
    field = SecretField(
        language("Secret phrase"),
        name="phrase",
        show_label=language("Show the phrase"),
        maxlength=_CHARACTERS_MAX,
        **attributes,
    )
    html.p(
        language(
            "The phrase belongs to this nickname. Others see a short badge that only the two "
            "together make, and with both you come back from any device. We keep nothing that "
            "leads to the phrase."
        )
    ).classes("hint")
    return field
