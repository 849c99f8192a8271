"""The route that the login form is posted to, by its script or by a browser without scripts."""

from collections.abc import Callable
from functools import cache

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from anonchat import (
    ChallengeUnsolved,
    ChatError,
    Cost,
    InvalidPhrase,
    Language,
    LimitReached,
    TooManyPhrases,
    Unavailable,
    WrongPhrase,
)

from .context import PageContext
from .elements.page_budget import PageBudget
from .elements.static_page import fill_placeholders, placeholder
from .error_pages import make_error_page, make_rate_limited_page, retry_after
from .http.auth import local_path
from .http.client_address import client_address
from .http.plain_form import CONTENT_TYPE, parse_form
from .http.plain_paths import plain_path
from .layout import base_url, static_page
from .login import NICKNAME_MAXLENGTH, LoginFields, form_action, show_login
from .look import Look

_PHRASE_ERRORS = (InvalidPhrase, WrongPhrase, TooManyPhrases)

RefusePlainForm = Callable[[Request, str, LoginFields, ChatError], Response]


def routes(context: PageContext) -> APIRouter:
    """Return the route that starts a session, for the script of the form and for the form itself.

    The script receives 204, or 200 and why it was refused; a browser whose script has not run yet
    is redirected, or receives the form again. One that runs none is led to the pages without
    scripts. The answer to both costs more, and is charged before all else.
    """
    router = APIRouter(include_in_schema=False)
    refuse_plain_form = _make_refusals(context)

    @router.post("/session")
    async def sign_in(request: Request, next: str = "/") -> Response:
        is_plain = request.headers.get("content-type", "").startswith(CONTENT_TYPE)
        if is_plain:
            try:
                await PageBudget(context.chat.work_budget, request).spend(Cost.PLAIN_FORM)
            except LimitReached as error:
                return make_rate_limited_page(context, request, error)
        fields, target = await _read_form(request, is_plain=is_plain), local_path(next)
        try:
            _, token = await context.chat.identity.sign_in(
                **fields.model_dump(), address=client_address(request)
            )
        except ChatError as error:
            if is_plain:
                return refuse_plain_form(request, target, fields, error)
            return _refuse(context.language(request), error)
        response = Response(status_code=204)
        if is_plain:
            shown = plain_path(target) if fields.plain else target
            response = RedirectResponse(f"{base_url(request)}{shown[1:]}", 303)
        context.auth.start_session(request, response, token)
        return response

    return router


async def _read_form(request: Request, *, is_plain: bool) -> LoginFields:
    """Return the posted form. Raises `HTTPException` 422 if it is none."""
    body = await request.body()
    try:
        if not is_plain:
            return LoginFields.model_validate_json(body)
        return LoginFields.model_validate(parse_form(body))
    except ValueError as error:
        raise HTTPException(422) from error


def _refuse(language: Language, error: ChatError) -> Response:
    """Tell the script why a sign-in was refused."""
    if isinstance(error, ChallengeUnsolved):
        return JSONResponse(dict(error.details))
    reason, seconds = language.reason(error)
    refusal = {"field": _refused_field(error), "reason": reason}
    return JSONResponse({**refusal, "seconds": seconds} if seconds else refusal)


def _make_refusals(context: PageContext) -> RefusePlainForm:
    """Return a function that makes the response to a refused form: the form again, with the reason.

    The document of each kind of refusal is drawn once, and then filled in.
    """
    name = context.chat.settings.name

    @cache
    def draw(language: Language, look: Look, field: str, *, has_phrase: bool) -> str:
        fields = LoginFields(
            nickname=placeholder("nickname"),
            attempt=placeholder("attempt"),
            phrase="filled in" if has_phrase else "",
        )
        errors = {field: placeholder("reason")}
        with static_page(name, language=language, look=look) as document:
            show_login(context, language, fields, errors, look=look, action=placeholder("action"))
        return document.text

    def refuse(request: Request, target: str, fields: LoginFields, error: ChatError) -> Response:
        if isinstance(error, ChallengeUnsolved):
            return _require_scripts(context, request, error)
        language, status = context.language(request), _refusal_status(error)
        document = draw(
            language,
            context.look(request),
            _refused_field(error),
            has_phrase=bool(fields.phrase),
        )
        content = fill_placeholders(
            document,
            base=base_url(request),
            action=form_action(target),
            nickname=fields.nickname[:NICKNAME_MAXLENGTH],
            attempt=fields.attempt,
            reason=language.explain(error),
        )
        headers = {"Retry-After": retry_after(error)} if status == 429 else None
        return HTMLResponse(content, status, headers)

    return refuse


def _require_scripts(context: PageContext, request: Request, error: ChallengeUnsolved) -> Response:
    language = context.language(request)
    title = language("Signing in takes a moment longer just now.")
    text = language(
        "Your browser first has to show, by a script, that this is not a flood. Go back, wait "
        "until the page has loaded, and try again. If scripts are blocked, please allow "
        "JavaScript for this site."
    )
    response = make_error_page(context, request, title, text, status=429)
    response.headers["Retry-After"] = retry_after(error)
    return response


def _refused_field(error: ChatError) -> str:
    return "phrase" if isinstance(error, _PHRASE_ERRORS) else "nickname"


def _refusal_status(error: ChatError) -> int:
    if isinstance(error, Unavailable):
        return 503
    return 429 if isinstance(error, LimitReached) else 422
