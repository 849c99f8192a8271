"""The login page: sign in with a nickname and an optional secret phrase."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from htpy import Element, a, details, div, footer, form, h1, li, p, span, summary, ul
from pydantic import BaseModel, Field

from anonchat import ChallengeUnsolved, ChatError, Cost, InvalidPhrase, TooManyPhrases, WrongPhrase

from .context import PageContext
from .controls import button, field, icon, icon_button
from .elements.screen import Fields, Screen
from .elements.sign_in import SignIn
from .http.client_address import client_address
from .i18n.language import Language
from .layout import language_links, logo, open_page, page

_PHRASE_ERRORS = (InvalidPhrase, WrongPhrase, TooManyPhrases)
_ATTEMPT_CHARACTERS = 64
_SUGGESTIONS_MAX = 20
_FIRST_WORDS = (
    "Quiet,Warm,Brave,Curious,Gentle,Sleepy,Merry,Patient,Silver,Lucky,Calm,Bright,Misty,Velvet,"
    "Northern,Distant,Amber,Humble,Nimble,Tender"
)
_SECOND_WORDS = (
    "Fox,Otter,Heron,Badger,Lynx,Sparrow,Hedgehog,Owl,Moth,Hare,Beaver,Falcon,Robin,Whale,Cricket,"
    "Raccoon,Swift,Marten,Salmon,Wren"
)


class _Form(BaseModel):
    """The fields of the login form, and what `sign_in.js` adds."""

    nickname: str
    phrase: str = ""
    solution: str = ""
    attempt: str = Field(default="", max_length=_ATTEMPT_CHARACTERS)


def routes(context: PageContext) -> APIRouter:
    """Return the route that starts a session; it answers 204, or 200 and why it was refused."""
    router = APIRouter(include_in_schema=False)

    @router.post("/session")
    async def sign_in(request: Request, fields: _Form) -> Response:
        try:
            _, token = await context.chat.identity.sign_in(
                **fields.model_dump(), address=client_address(request)
            )
        except ChallengeUnsolved as error:
            return JSONResponse(dict(error.details))
        except ChatError as error:
            name = "phrase" if isinstance(error, _PHRASE_ERRORS) else "nickname"
            reason = context.language(request).explain(error)
            return JSONResponse({"field": name, "reason": reason})
        return context.auth.start_session(request, token)

    return router


def register(context: PageContext) -> None:
    """Add the page."""

    @page("/login")
    async def login(
        request: Request, target: Annotated[str, Depends(context.auth.require_anonymous)]
    ) -> None:
        language = open_page(context, request)
        screen = Screen("login", budget=context.chat.work_budget, language=language)
        with screen:
            sign_in = SignIn(
                context.chat.proof_of_work,
                budget=context.chat.work_budget,
                screen=screen,
                language=language,
                target=f".{target}",
            )

        async def suggest(_fields: Fields) -> None:
            await screen.work.wait(Cost.SUGGESTION)
            name = await suggest_nickname(
                language, is_free=context.chat.identity.is_nickname_available
            )
            screen.fill("nickname", name)

        screen.on_call("suggest", suggest)
        screen.draw(
            div(class_="login-column")[
                logo(context.chat.settings.name),
                _headline(language("Say it. Let it fade.")),
                p(class_="lead")[
                    language(
                        "An anonymous chat that forgets on time. Come in with a nickname, "
                        "nothing else."
                    )
                ],
                _form(language, sign_in),
                _promises(language),
                footer[
                    a(href="privacy")[language("What we keep")],
                    language_links(context.languages.values(), language),
                ],
            ]
        )


async def suggest_nickname(language: Language, *, is_free: Callable[[str], Awaitable[bool]]) -> str:
    """Return a random nickname in the visitor's language, a free one if 20 attempts suffice."""
    first = language.words("first words of a nickname", _FIRST_WORDS)
    second = language.words("second words of a nickname", _SECOND_WORDS)
    name = ""
    for attempt in range(_SUGGESTIONS_MAX):
        name = f"{secrets.choice(first)} {secrets.choice(second)}"
        if attempt > _SUGGESTIONS_MAX // 2:
            name = f"{name} {secrets.randbelow(1000)}"
        if await is_free(name):
            break
    return name


def _headline(text: str) -> Element:
    words = text.split()
    fades = [1 - 0.5 * max(0, index - 1) / max(1, len(words) - 2) for index in range(len(words))]
    return h1[
        [
            span(style=f"opacity: {opacity:.2f}")[f"{word} "]
            for word, opacity in zip(words, fades, strict=True)
        ]
    ]


def _form(language: Language, sign_in: SignIn) -> Element:
    return form(class_="login-form", novalidate=True)[
        field(
            language("Nickname"),
            name="nickname",
            placeholder=language("How shall others call you?"),
            maxlength=600,
            autofocus=True,
            enterkeyhint="go",
            addon=icon_button("dice", language("Suggest a nickname"), data_calls="suggest"),
        ),
        button(language("Enter"), type="submit"),
        sign_in,
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
    ]


def _promises(language: Language) -> Element:
    promises = (
        language("No account, no mail, no phone. Your address is never stored."),
        language("Every message shows when it disappears, and then it is gone for everyone."),
        language("Nothing readable is ever written to disk."),
    )
    return ul(class_="promises")[[li[icon("check"), span[promise]] for promise in promises]]
