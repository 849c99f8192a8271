"""The login page: sign in with a nickname and an optional secret phrase."""

from typing import Annotated

from fastapi import Depends, Request
from htpy import Element, a, details, div, footer, h1, li, p, span, summary, ul

from anonchat import ChallengeUnsolved, ChatError, Cost, InvalidPhrase, TooManyPhrases, WrongPhrase

from .context import PageContext
from .controls import button, field, form, icon, icon_button, post
from .elements.proof_of_work_field import ProofOfWorkField
from .elements.screen import Fields, Screen
from .http.client_address import client_address
from .i18n.language import Language
from .layout import language_links, logo, open_page, page
from .suggestion import suggest_nickname

_PHRASE_ERRORS = (InvalidPhrase, WrongPhrase, TooManyPhrases)


def register(context: PageContext) -> None:
    """Add the page."""

    @page("/login")
    async def login(
        request: Request, target: Annotated[str, Depends(context.auth.require_anonymous)]
    ) -> None:
        language = open_page(context, request)
        screen = Screen("login", budget=context.chat.work_budget)
        with screen:
            proof_of_work = ProofOfWorkField(
                context.chat.proof_of_work, budget=context.chat.work_budget, language=language
            )

        async def enter(fields: Fields) -> None:
            try:
                _, token = await context.chat.identity.sign_in(
                    fields.get("nickname", ""),
                    phrase=fields.get("phrase", ""),
                    address=client_address(request),
                    solution=fields.get("solution", ""),
                )
            except ChallengeUnsolved as error:
                proof_of_work.solve(error)
            except ChatError as error:
                name = "phrase" if isinstance(error, _PHRASE_ERRORS) else "nickname"
                screen.show_field_error(name, language.explain(error))
            else:
                post("session", body=context.auth.create_ticket(token), redirect_to=f".{target}")

        async def suggest(_fields: Fields) -> None:
            await screen.work.wait(Cost.SUGGESTION)
            name = await suggest_nickname(
                language, is_free=context.chat.identity.is_nickname_available
            )
            screen.fill("nickname", name)

        screen.on_call("enter", enter)
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
                _form(language, proof_of_work),
                _promises(language),
                footer[
                    a(href="privacy")[language("What we keep")],
                    language_links(context.languages.values(), language),
                ],
            ]
        )


def _headline(text: str) -> Element:
    words = text.split()
    fades = [1 - 0.5 * max(0, index - 1) / max(1, len(words) - 2) for index in range(len(words))]
    return h1[
        [
            span(style=f"opacity: {opacity:.2f}")[f"{word} "]
            for word, opacity in zip(words, fades, strict=True)
        ]
    ]


def _form(language: Language, proof_of_work: ProofOfWorkField) -> Element:
    return form(
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
        proof_of_work,
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
