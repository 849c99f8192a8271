"""The route that the login form is posted to, by its script or by a browser without scripts."""

from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from anonchat import (
    ChallengeUnsolved,
    ChatError,
    Cost,
    InvalidPhrase,
    LimitReached,
    TooManyPhrases,
    Unavailable,
    WrongPhrase,
)

from .context import PageContext
from .elements.page_budget import PageBudget
from .error_pages import make_error_page, make_rate_limited_page
from .http.auth import local_path
from .http.client_address import client_address
from .i18n.language import Language
from .layout import base_url, chosen_theme, root_style, static_page
from .login import LoginFields, show_login

_PHRASE_ERRORS = (InvalidPhrase, WrongPhrase, TooManyPhrases)
_PLAIN_FORM = "application/x-www-form-urlencoded"
_FIELDS_MAX = 10


def routes(context: PageContext) -> APIRouter:
    """Return the route that starts a session, for the script of the form and for the form itself.

    The script receives 204, or 200 and why it was refused; a browser without scripts is redirected,
    or receives the form again.
    """
    router = APIRouter(include_in_schema=False)

    @router.post("/session")
    async def sign_in(request: Request, next: str = "/") -> Response:
        is_plain = request.headers.get("content-type", "").startswith(_PLAIN_FORM)
        fields, target = await _read_form(request, is_plain=is_plain), local_path(next)
        try:
            _, token = await context.chat.identity.sign_in(
                **fields.model_dump(), address=client_address(request)
            )
        except ChatError as error:
            if is_plain:
                return await _refuse_plain_form(context, request, target, fields, error)
            return _refuse(context.language(request), error)
        response = Response(status_code=204)
        if is_plain:
            response = RedirectResponse(f"{base_url(request)}{target[1:]}", 303)
        context.auth.start_session(request, response, token)
        return response

    return router


async def _read_form(request: Request, *, is_plain: bool) -> LoginFields:
    """Return the posted form. Raises `HTTPException` 422 if it is none."""
    body = await request.body()
    try:
        if not is_plain:
            return LoginFields.model_validate_json(body)
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
        fields = dict(pairs)
        if len(fields) < len(pairs):
            raise ValueError("a field was sent twice")
        return LoginFields.model_validate(fields)
    except ValueError as error:
        raise HTTPException(422) from error


def _refuse(language: Language, error: ChatError) -> Response:
    """Tell the script why a sign-in was refused."""
    if isinstance(error, ChallengeUnsolved):
        return JSONResponse(dict(error.details))
    return JSONResponse({"field": _refused_field(error), "reason": language.explain(error)})


async def _refuse_plain_form(
    context: PageContext, request: Request, target: str, fields: LoginFields, error: ChatError
) -> Response:
    """Return the form again, with its nickname and the reason."""
    language, settings = context.language(request), context.chat.settings
    if isinstance(error, ChallengeUnsolved):
        title = language("Signing in takes a moment longer just now.")
        text = language(
            "Your browser first has to show, by a script, that this is not a flood. Go back, wait "
            "until the page has loaded, and try again. If scripts are blocked, please allow "
            "JavaScript for this site."
        )
        return make_error_page(context, request, title, text, status=429)
    try:
        await PageBudget(context.chat.work_budget, request).spend(Cost.STATIC_PAGE)
    except LimitReached as limit:
        return make_rate_limited_page(context, request, limit)
    css = root_style(settings.accent, chosen_theme(request))
    base = base_url(request)
    with static_page(settings.name, language=language, base=base, css=css) as document:
        errors = {_refused_field(error): language.explain(error)}
        show_login(context, request, target, fields, errors)
    return HTMLResponse(document.text, _refusal_status(error))


def _refused_field(error: ChatError) -> str:
    return "phrase" if isinstance(error, _PHRASE_ERRORS) else "nickname"


def _refusal_status(error: ChatError) -> int:
    if isinstance(error, Unavailable):
        return 503
    return 429 if isinstance(error, LimitReached) else 422
