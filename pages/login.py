"""The login page: sign in with a nickname and an optional secret phrase."""

import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Request
from nicegui import html, ui
from pydantic import BaseModel, Field

from anonchat import ChatError, Cost, Language

from .context import PageContext
from .elements.button import Button, IconButton
from .elements.language_choice import LanguageChoice
from .elements.logo import Logo
from .elements.page_budget import PageBudget
from .elements.sign_in import SignIn
from .elements.text_field import TextField
from .http.auth import target_query
from .layout import open_page, page
from .look import Look, theme_headline
from .nickname_suggestions import suggest_nickname
from .page_menu import show_page_menu
from .phrase_field import show_phrase_field

NICKNAME_MAXLENGTH = 600
"""The `maxlength` of the field; one emoji takes several characters. The core rejects more."""
_ATTEMPT_CHARACTERS = 64


class LoginFields(BaseModel):
    """What the login form contains; `sign_in.js` adds the solution of a challenge.

    Browsers that run no scripts send `plain`.
    """

    nickname: str
    phrase: str = ""
    solution: str = ""
    attempt: str = Field(default="", max_length=_ATTEMPT_CHARACTERS)
    plain: str = Field(default="", exclude=True)


def register(context: PageContext) -> None:
    """Add the page."""

    @page("/login")
    async def login(
        request: Request, target: Annotated[str, Depends(context.auth.require_anonymous)]
    ) -> None:
        language = open_page(context, request)
        attempt = secrets.token_hex(_ATTEMPT_CHARACTERS // 2)
        fields = LoginFields(nickname="", attempt=attempt)
        room = context.chat.room_directory.get_listed(_slug(target))
        show_login(
            context,
            language,
            fields,
            look=context.look(request),
            action=form_action(target),
            target=target,
            room_name=room.name if room else "",
        )


def form_action(target: str) -> str:
    """Return the URL that the form is posted to, which names the path to open after sign-in."""
    return f"session{target_query(target)}"


def show_login(
    context: PageContext,
    language: Language,
    fields: LoginFields,
    errors: Mapping[str, str] = MappingProxyType({}),
    *,
    look: Look,
    action: str,
    target: str = "/",
    room_name: str = "",
) -> None:
    """Create the elements of the page; `errors` has the reasons of refused fields by name.

    `room_name` is that of the public room to which the link leads, if any.
    A browser without scripts posts the form to `action`; with scripts, it opens `target` then.
    """
    # Without a referrer, browsers send a plain form without its origin, and it is refused.
    ui.add_head_html('<meta name="referrer" content="same-origin">')
    ui.context.client.content.classes("screen-page")
    with html.div().classes("screen login"), html.div().classes("login-column"):
        Logo(context.chat.settings.name)
        _show_headline(theme_headline(look.theme, language) or language("Say it. Let it fade."))
        html.p(
            language(
                "An anonymous chat that forgets on time. Come in with a nickname, nothing else."
            )
        ).classes("lead")
        if room_name:
            _show_invitation(language, room_name)
        _show_form(context, language, fields, errors, action=action, target=target)
        with html.ul().classes("promises"):
            for promise in (
                language("No account, no mail, no phone. Your address is never stored."),
                language(
                    "Every message shows when it disappears, and then it is gone for everyone."
                ),
                language("Nothing readable is ever written to disk."),
            ):
                html.li(promise).classes("icon-check")
        with html.footer():
            html.a(language("What we keep"), href="privacy")
            show_page_menu(context, language)
            LanguageChoice(context.languages.values(), current=language)


def _show_headline(text: str) -> None:
    words = text.split()
    with html.h1():
        for index, word in enumerate(words):
            opacity = 1 - 0.5 * max(0, index - 1) / max(1, len(words) - 2)
            html.span(f"{word} ").style(f"opacity: {opacity:.2f}")


def _show_invitation(language: Language, room_name: str) -> None:
    before, _, after = language("This link leads to “{room}”, a public room.", room="\0").partition(
        "\0"
    )
    with html.p().classes("invitation"):
        html.span(before)
        html.bdi(room_name)
        html.span(after)


def _slug(target: str) -> str:
    """Return the slug in the path of a room; of other paths, none that a room could have."""
    return unquote(target.partition("?")[0].removeprefix("/r/"))


def _show_form(
    context: PageContext,
    language: Language,
    fields: LoginFields,
    errors: Mapping[str, str],
    *,
    action: str,
    target: str,
) -> None:
    async def suggest() -> None:
        work = PageBudget(context.chat.work_budget, ui.context.client.request)
        try:
            await work.wait(Cost.SUGGESTION)
            name = await suggest_nickname(
                language, is_free=context.chat.identity.is_nickname_available
            )
        except ChatError as error:
            sign_in.refuse("nickname", *language.reason(error))
        else:
            sign_in.fill("nickname", name)

    with html.form(action=action, method="post").classes("login-form"):
        html.input_(type="hidden", name="attempt", value=fields.attempt)
        with ui.element("noscript"):
            html.input_(type="hidden", name="plain", value="yes")
        nickname = TextField(
            language("Nickname"),
            name="nickname",
            value=fields.nickname,
            error=errors.get("nickname", ""),
            placeholder=language("What should others call you?"),
            maxlength=NICKNAME_MAXLENGTH,
            autofocus="phrase" not in errors,
            enterkeyhint="go",
        )
        with nickname.box:
            IconButton("dice", language("Suggest a nickname"), on_click=suggest)
        Button(language("Enter")).props("type=submit")
        sign_in = SignIn(context.chat.proof_of_work, language=language, target=f".{target}")
        with html.details(open=bool(fields.phrase)):
            html.summary(language("Be recognised another day with a secret phrase"))
            show_phrase_field(
                language, error=errors.get("phrase", ""), autofocus="phrase" in errors
            )
