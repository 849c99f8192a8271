"""Come in."""

from typing import Annotated

from fastapi import Depends, Request
from nicegui import ui

from anonchat import ChatError, InvalidPhrase

from .controls import Field, Tag, button, form, icon, icon_button, post
from .frame import language_links, mark, open_page
from .language import Language
from .site import Site
from .suggestion import suggest_nickname


def register(site: Site) -> None:
    """Add the page."""

    @ui.page("/login")
    async def login(request: Request, target: Annotated[str, Depends(site.door.stranger)]) -> None:
        language = open_page(site, request)
        with Tag("div", class_="login"), Tag("div", class_="login-column"):
            mark()
            _headline(language("Say it. Let it fade."))
            Tag(
                "p",
                language(
                    "An anonymous chat that forgets on time. Come in with a nickname, nothing else."
                ),
                class_="lead",
            )
            _form(site, language, target)
            _promises(language)
            with Tag("footer"):
                Tag("a", language("What we keep"), href="/privacy")
                language_links(site, language)


def _headline(text: str) -> None:
    words = text.split()
    with Tag("h1"):
        for number, word in enumerate(words):
            opacity = 1 - 0.5 * max(0, number - 1) / max(1, len(words) - 2)
            Tag("span", f"{word} ", style=f"opacity: {opacity:.2f}")


def _form(site: Site, language: Language, target: str) -> None:
    async def enter(fields: dict[str, str]) -> None:
        nickname.say("")
        phrase.say("")
        try:
            _, token = await site.chat.identity.come_in(
                fields.get("nickname", ""), phrase=fields.get("phrase", "")
            )
        except InvalidPhrase as error:
            phrase.refuse(language.explain(error))
        except ChatError as error:
            nickname.refuse(language.explain(error))
        else:
            post("/session", body=site.door.write_ticket(token), then=target)

    async def suggest() -> None:
        nickname.say("")
        nickname.fill(await suggest_nickname(language, is_free=site.chat.identity.is_free))

    with form(enter, class_="login-form"):
        nickname = Field(
            language("Nickname"),
            name="nickname",
            placeholder=language("How shall others call you?"),
            maxlength=600,
            autofocus=True,
            enterkeyhint="go",
        )
        with nickname.frame:
            icon_button("dice", language("Suggest a nickname")).on("click", suggest)
        button(language("Enter"), type="submit")
        with Tag("details"):
            Tag("summary", language("Be recognised another day with a secret phrase"))
            phrase = Field(
                language("Secret phrase"),
                name="phrase",
                maxlength=400,
                class_="secret",
                spellcheck="false",
                autocapitalize="off",
            )
            Tag(
                "p",
                language(
                    "Others see a short badge that only this phrase makes. With it you come back "
                    "under your nickname from any device. We keep nothing that leads to the phrase."
                ),
                class_="hint",
            )


def _promises(language: Language) -> None:
    with Tag("ul", class_="promises"):
        for promise in (
            language("No account, no mail, no phone. Your address is never stored."),
            language("Every message shows when it disappears, and then it is gone for everyone."),
            language("Nothing readable is ever written to disk."),
        ):
            with Tag("li"):
                icon("check")
                Tag("span", promise)
