"""Asks before a message is posted that tells who or where somebody is.

It finds phone numbers, mail addresses, postal addresses and numbers of payment cards in their usual
forms, and links that say who shared them. It does not know names, and not every form of an address:
it is a reminder, not a protection.
"""

import re

from anonchat.plugins import Draft, Plugin

plugin = Plugin("guard")

_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")

_PHONE = re.compile(
    r"""(?<![\w.,:/=#@+-])(?<!\d[ ])(?:
        \+\d[\d ()./-]{6,20}\d                              # +49 171 2345678
        | (?:1[ .-]?)?\(\d{3}\)[ ]?\d{3}[ .-]?\d{4}         # (555) 234-5678
        | (?:1[ .-])?\d{3}([ .-])\d{3}\1\d{4}               # 555-234-5678
        | [78][ -]?\(?\d{3}\)?[ -]?\d{3}[ -]?\d\d[ -]?\d\d  # 8 (912) 345-67-89
        | 0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,5}                  # 0171 2345678
        | 0\d(?:[ .]\d\d){4}                                # 06 12 34 56 78
    )(?![\w/-]|[ .,:]\d)""",
    re.VERBOSE,
)
_PHONE_DIGITS = range(8, 16)
# A plain number is a phone number only after a word that says so.
_CALLED = re.compile(
    r"""\b(?:call|text|phone|whatsapp|telegram|mobile|cell|tel|telefon|handy|ruf|appelle|llama|tél
        |звони\w*|позвони\w*|телефон\w*|тел|мобильн\w*|номер\w*)\b
        [^\d\n]{0,20}[+(]?\d(?:[ ()./-]{0,2}\d){6,14}(?!\d)""",
    re.VERBOSE | re.IGNORECASE,
)

_CARD = re.compile(r"(?<![\w.+-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\w-])")
_CARD_DIGITS = range(13, 20)

# Names begin with a capital letter, or "two minutes down the road" would be an address.
_NAME = r"(?-i:[A-ZÀ-ÞА-ЯЁ])[\w'’.-]*"
_ADDRESSES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # 12 Baker Street
        rf"\b\d{{1,5}}[a-d]?,? (?:{_NAME} ){{1,3}}(?:street|avenue|road|lane|drive|boulevard|court"
        r"|square|terrace|(?-i:St|Ave|Rd|Ln|Dr|Blvd|Ct|Sq))\b",
        # ул. Ленина, д. 5
        rf"\b(?:ул|улиц[аеы]|проспект[ае]?|пр-т|просп|пер|переул\w+|бульвар[ае]?|шоссе|наб)\.? "
        rf"?{_NAME}(?: {_NAME})?,? ?(?:д(?:ом)?\.? ?)?\d+",
        # Hauptstraße 5, Lange Gasse 12
        r"\b(?-i:[A-ZÄÖÜ])[\w-]{2,40}(?:straße|strasse|str\.|gasse|allee|weg|platz"
        r"|(?-i: Straße| Str\.| Gasse| Allee| Platz)) \d+",
        # 5 rue de la Paix
        rf"\b\d{{1,4}}(?: bis| ter)?,? (?:rue|avenue|boulevard|chemin|impasse) (?:\w+ ){{0,2}}"
        rf"(?:[dl]['’])?{_NAME}",
        # Calle Mayor 5, Via Roma 5
        rf"\b(?:calle|avenida|avda\.?|(?-i:Via|Viale)) (?:\w+ ){{0,2}}{_NAME},? (?:n[º°.]? ?)?\d+",
        # SW1A 1AA, a postcode of the United Kingdom
        r"\b(?-i:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2})\b",
    )
]

_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
_TRACKING = re.compile(
    r"[?&;#](?:utm_\w+|fbclid|[gdy]clid|msclkid|ttclid|twclid|ysclid|gbraid|wbraid|igshid|igsh"
    r"|mc_[ce]id|_openstat|mkt_tok|li_fat_id|_hsenc|_hsmi|vero_id|oly_\w+_id|si)=",
    re.IGNORECASE,
)


@plugin.filter
def ask(draft: Draft) -> None:
    """Ask before something is posted that identifies somebody."""
    text = _LINK.sub(" ", draft.text)
    if _MAIL.search(text):
        draft.warn("This has a mail address in it.")
    if _has_card(text):
        draft.warn("This has the number of a payment card in it.")
    elif _has_phone(text):
        draft.warn("This has a phone number in it.")
    if any(pattern.search(text) for pattern in _ADDRESSES):
        draft.warn("This has a postal address in it.")
    if any(_TRACKING.search(link) for link in _LINK.findall(draft.text)):
        draft.warn("A link in this tells who shared it, or from where.")


def _has_phone(text: str) -> bool:
    found = (_count_digits(match[0]) for match in _PHONE.finditer(text))
    return any(count in _PHONE_DIGITS for count in found) or bool(_CALLED.search(text))


def _has_card(text: str) -> bool:
    return any(
        _count_digits(match[0]) in _CARD_DIGITS and _passes_luhn(match[0])
        for match in _CARD.finditer(text)
    )


def _count_digits(text: str) -> int:
    return sum(each.isdigit() for each in text)


def _passes_luhn(text: str) -> bool:
    """Return whether the last digit is the check digit of a card."""
    digits = [int(each) for each in reversed(text) if each.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
