"""Come in."""

from typing import Annotated

from fastapi import Depends, Request
from htpy import Element, a, details, div, footer, h1, li, p, span, summary, ul

from anonchat import (
    ChatError,
    Cost,
    InvalidPhrase,
    PuzzleUnsolved,
    TooManyPhrases,
    WrongPhrase,
)

from .controls import button, field, form, icon, icon_button, post
from .frame import language_links, mark, open_page, page
from .language import Language
from .live.proof import Proof
from .live.screen import Fields, Screen
from .site import Site, address_of
from .suggestion import suggest_nickname

_OF_PHRASE = (InvalidPhrase, WrongPhrase, TooManyPhrases)


def register(site: Site) -> None:
    """Add the page."""

    @page("/login")
    async def login(request: Request, target: Annotated[str, Depends(site.door.stranger)]) -> None:
        language = open_page(site, request)
        screen = Screen("login", budget=site.chat.work)
        with screen:
            proof = Proof(site.chat.puzzle, budget=site.chat.work, language=language)

        async def enter(fields: Fields) -> None:
            try:
                _, token = await site.chat.identity.come_in(
                    fields.get("nickname", ""),
                    phrase=fields.get("phrase", ""),
                    address=address_of(request),
                    solution=fields.get("solution", ""),
                )
            except PuzzleUnsolved as error:
                proof.solve(error)
            except ChatError as error:
                name = "phrase" if isinstance(error, _OF_PHRASE) else "nickname"
                screen.refuse(name, language.explain(error))
            else:
                post("/session", body=site.door.write_ticket(token), then=target)

        async def suggest(_fields: Fields) -> None:
            await screen.work.wait(Cost.SUGGESTION)
            name = await suggest_nickname(language, is_free=site.chat.identity.is_free)
            screen.fill("nickname", name)

        screen.answer("enter", enter)
        screen.answer("suggest", suggest)
        screen.draw(
            div(class_="login-column")[
                mark(),
                _headline(language("Say it. Let it fade.")),
                p(class_="lead")[
                    language(
                        "An anonymous chat that forgets on time. Come in with a nickname, "
                        "nothing else."
                    )
                ],
                _form(language, proof),
                _promises(language),
                footer[
                    a(href="/privacy")[language("What we keep")],
                    language_links(site.languages.values(), language),
                ],
            ]
        )


def _headline(text: str) -> Element:
    words = text.split()
    fades = [1 - 0.5 * max(0, place - 1) / max(1, len(words) - 2) for place in range(len(words))]
    return h1[
        [
            span(style=f"opacity: {opacity:.2f}")[f"{word} "]
            for word, opacity in zip(words, fades, strict=True)
        ]
    ]


def _form(language: Language, proof: Proof) -> Element:
    return form(
        field(
            language("Nickname"),
            name="nickname",
            placeholder=language("How shall others call you?"),
            maxlength=600,
            autofocus=True,
            enterkeyhint="go",
            beside=icon_button("dice", language("Suggest a nickname"), data_calls="suggest"),
        ),
        button(language("Enter"), type="submit"),
        proof,
        details[
            summary[language("Be recognised another day with a secret phrase")],
            field(
                language("Secret phrase"),
                name="phrase",
                maxlength=400,
                class_="secret",
                spellcheck="false",
                autocapitalize="off",
            ),
            p(class_="hint")[
                language(
                    "The phrase belongs to this nickname. Others see a short badge that only the "
                    "two together make, and with both you come back from any device. We keep "
                    "nothing that leads to the phrase."
                )
            ],
        ],
        calls="enter",
        kind="login-form",
    )


def _promises(language: Language) -> Element:
    promises = (
        language("No account, no mail, no phone. Your address is never stored."),
        language("Every message shows when it disappears, and then it is gone for everyone."),
        language("Nothing readable is ever written to disk."),
    )
    return ul(class_="promises")[[li[icon("check"), span[promise]] for promise in promises]]
