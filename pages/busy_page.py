"""Static page with a proof-of-work challenge, for clients of rate-limited networks.

It is drawn once and uses neither the database nor a socket: it costs a fraction of a millisecond.
Its script solves the challenge, posts the solution for a pass, and reloads the page.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from nicegui import html, ui

from anonchat import Language, LimitReached

from .context import PageContext
from .elements.logo import Logo
from .elements.static_page import fill_placeholders, placeholder
from .error_pages import retry_after
from .http.client_address import client_address
from .layout import base_url, static_page
from .look import Look

_SOLVER = (Path(__file__).parent / "elements" / "proof_of_work" / "challenge.js").read_text()
_SCRIPT = """
const { challenge, bits, seconds } = document.querySelector(".busy").dataset;
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

    @cache
    def render(language: Language, look: Look) -> str:
        return _render(language, name=context.chat.settings.name, look=look)

    def respond(request: Request, error: LimitReached) -> Response:
        bits = context.chat.network_throttle.challenge_bits(client_address(request))
        seconds = retry_after(error)
        page = fill_placeholders(
            render(context.language(request), context.look(request)),
            base=base_url(request),
            nonce=request.scope["nonce"],
            challenge=context.chat.proof_of_work.new_challenge(bits),
            bits=str(bits),
            seconds=seconds,
        )
        headers = {"Retry-After": seconds, "Cache-Control": "no-store"}
        return HTMLResponse(page, 429, headers=headers)

    return respond


def _render(language: Language, *, name: str, look: Look) -> str:
    seconds = placeholder("seconds")
    with static_page(name, language=language, look=look) as page:
        ui.add_head_html(
            f'<noscript><meta http-equiv="refresh" content="{seconds}"></noscript>'
            f'<script type="module" nonce="{placeholder("nonce")}">{_SOLVER}{_SCRIPT}</script>'
        )
        with html.div().classes("nothing page busy") as challenge:
            Logo(name)
            html.h1(language("Many people come from your network just now."))
            html.p(language("Please come again in {seconds} s.", seconds=seconds), role="status")
            html.template(language("One moment: your browser shows that this is not a flood."))
        challenge.props.update(
            {
                "data-challenge": placeholder("challenge"),
                "data-bits": placeholder("bits"),
                "data-seconds": seconds,
            }
        )
    return page.text
