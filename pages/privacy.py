"""The privacy page: what is stored, where and how long, and the purge statistics."""

from fastapi import Request
from nicegui import html

from anonchat import Language, room_lifetime, visitor_lifetime

from .context import PageContext
from .elements.language_choice import LanguageChoice
from .elements.logo import Logo
from .layout import open_page, page
from .lists import PurgeStatsList


def register(context: PageContext) -> None:
    """Add the page."""

    @page("/privacy")
    def privacy(request: Request) -> None:
        language = open_page(context, request, title=context.language(request)("What we keep"))
        with html.div().classes("paper"):
            Logo(context.chat.settings.name)
            html.h1(language("What we keep"))
            for heading, text in _sections(context, language):
                html.h2(heading)
                html.p(text)
            html.h2(language("The janitor"))
            html.p(language("Counts of what was forgotten here; it goes round all the time."))
            PurgeStatsList()
            with html.footer():
                html.a(language("Back"), href=".")
                LanguageChoice(context.languages.values(), current=language)


def _sections(context: PageContext, language: Language) -> list[tuple[str, str]]:
    settings = context.chat.settings
    return [
        (
            language("About you"),
            language(
                "A nickname, for {time} after your last visit, or {new_time} if you have never "
                "written anything, and one cookie by which your browser is recognised. No "
                "account, no mail, no phone. Your network address is not written anywhere. What "
                "rooms may notify you of, and whom you have met there, is known to your browser "
                "alone, until you sign out or are forgotten.",
                time=language.duration(settings.visitor_ttl),
                new_time=language.duration(visitor_lifetime(settings, has_posted=False)),
            ),
        ),
        (
            language("About what is said"),
            language(
                "Every message until the time it shows, {time} unless its room says otherwise. "
                "From that moment nobody is given it; within a minute it is destroyed. Rooms in "
                "which nothing happens end after {room_time}, and after {new_room_time} if "
                "nobody but their maker was ever in them and nothing said there lives longer.",
                time=language.duration(settings.message_ttl),
                room_time=language.duration(settings.room_ttl),
                new_room_time=language.duration(
                    room_lifetime(settings, settings.room_ttl, was_entered=False)
                ),
            ),
        ),
        (
            language("On disk"),
            language(
                "Only ciphertext. Messages, nicknames, names and topics are encrypted, and the "
                "keys are destroyed at their end."
            ),
        ),
        (
            language("What you can take back"),
            language(
                "One message, everything of yours (“Forget me”), or a room that you own (“Burn "
                "room”). It is gone from every screen at once (a message after five seconds, in "
                "which you can undo it), and the key that could open a copy of it is destroyed "
                "with it."
            ),
        ),
        (
            language("What nobody can promise"),
            language(
                "Whoever reads you can take a picture of it. Whoever runs this site could change "
                "it, and memory cannot be wiped for certain. Do not write here what must never be "
                "known."
            ),
        ),
    ]
