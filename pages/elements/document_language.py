"""The language and the text direction of a document, and the texts of NiceGUI's own elements."""

from typing import get_args

from nicegui import app
from nicegui.language import Language as Pack

from ..http.page_template import edit_page_template

_ATTRIBUTES = '{% if html_lang %} lang="{{ html_lang }}"{% else %} dir="ltr"{% endif %}'
_OUR_ATTRIBUTES = (
    "{% with language = request.scope.language %}{% if language %}"
    ' lang="{{ language.code }}" dir="{{ language.direction }}"{% endif %}{% endwith %}'
)
_PACKS: tuple[Pack, ...] = get_args(Pack)
_DEFAULT: Pack = "en-US"


def install_document_language() -> None:
    """Make the template of all pages declare our language instead of that of Quasar's texts."""
    edit_page_template(_ATTRIBUTES, _OUR_ATTRIBUTES)
    app.config.quasar_config["lang"] = {"noHtmlAttrs": True}


def find_quasar_pack(code: str) -> Pack:
    """Return the name of Quasar's texts in that language, or the nearest; else the English ones."""
    language = code.partition("-")[0]
    if language == "en":
        return _DEFAULT
    for pack in (code, language):
        if pack in _PACKS:
            return pack
    return next((pack for pack in _PACKS if pack.startswith(f"{language}-")), _DEFAULT)
