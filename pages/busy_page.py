"""Static page with a proof-of-work challenge, for clients of rate-limited networks.

It uses neither NiceGUI nor the database and costs a fraction of a millisecond. Its script solves
the challenge, posts the solution for a pass, and reloads the page.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from htpy import body, h1, head, html, main, meta, noscript, p, script, style, template
from htpy import title as title_tag

from anonchat import LimitReached

from .context import PageContext
from .elements.static_page import fill_placeholders, placeholder
from .error_pages import retry_after
from .http.client_address import client_address
from .i18n.language import Language
from .layout import base_links, base_url, chosen_theme, logo, root_style

_SOLVER = (Path(__file__).parent / "elements" / "proof_of_work" / "challenge.js").read_text()
_SCRIPT = """
const { challenge, bits, seconds } = document.body.dataset;
const reload = (wait) => setTimeout(() => window.location.reload(), 1000 * wait);
async function submit(solution) {
  const response = await fetch("pass", { method: "POST", body: solution }).catch(() => null);
  reload(response?.ok ? 0 : seconds);
}
const status = document.querySelector("[role=status]");
if (navigator.cookieEnabled) {
  status.textContent = document.querySelector("template").content.textContent;
  solve(challenge, Number(bits), submit);
} else reload(seconds);
"""


def make_busy_page(context: PageContext) -> Callable[[Request, LimitReached], Response]:
    """Return a function that makes the response for a client of a busy network."""

    settings = context.chat.settings

    @cache
    def render(code: str, theme: str) -> str:
        css = root_style(settings.accent, theme)
        return _render(context.languages[code], name=settings.name, css=css)

    def respond(request: Request, error: LimitReached) -> Response:
        bits = context.chat.network_throttle.challenge_bits(client_address(request))
        seconds = retry_after(error)
        page = fill_placeholders(
            render(context.language(request).code, chosen_theme(request)),
            base=base_url(request),
            nonce=request.scope["nonce"],
            challenge=context.chat.proof_of_work.new_challenge(bits),
            bits=str(bits),
            seconds=seconds,
        )
        headers = {"Retry-After": seconds, "Cache-Control": "no-store"}
        return HTMLResponse(page, 429, headers=headers)

    return respond


def _render(language: Language, *, name: str, css: str) -> str:
    seconds = placeholder("seconds")
    retry_text = language("Please come again in {seconds} s.", seconds=seconds)
    page = html(lang=language.code)[
        head[
            meta(charset="utf-8"),
            meta(name="viewport", content="width=device-width, initial-scale=1"),
            title_tag[name],
            base_links(placeholder("base")),
            style[css],
            noscript[meta(http_equiv="refresh", content=seconds)],
        ],
        body(
            data_challenge=placeholder("challenge"),
            data_bits=placeholder("bits"),
            data_seconds=seconds,
        )[
            main(class_="nothing page busy")[
                logo(name),
                h1[language("Many people come from your network just now.")],
                p(role="status")[retry_text],
                template[language("One moment: your browser shows that this is not a flood.")],
            ],
            script(type="module", nonce=placeholder("nonce"))[placeholder("script")],
        ],
    ]
    return str(page).replace(placeholder("script"), _SOLVER + _SCRIPT)
