"""What strangers are sent while their network asks for too much: a challenge, as a static page.

It costs a fraction of a millisecond: no page of NiceGUI, no database. Its script solves the
challenge, is given a pass for it, and loads the address again.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from htpy import body, h1, head, html, link, main, meta, noscript, p, script, style, template
from htpy import title as title_tag

from anonchat import LimitReached

from .frame import STYLE_SHEET, chosen_theme, mark
from .language import Language
from .site import Site, address_of

_SOLVER = (Path(__file__).parent / "live" / "proof" / "challenge.js").read_text()
_SCRIPT = """
const { challenge, bits, seconds } = document.body.dataset;
const again = (wait) => setTimeout(() => window.location.reload(), 1000 * wait);
async function show(solution) {
  const answer = await fetch("/pass", { method: "POST", body: solution }).catch(() => null);
  again(answer?.ok ? 0 : seconds);
}
const status = document.querySelector("[role=status]");
if (navigator.cookieEnabled) {
  status.textContent = document.querySelector("template").content.textContent;
  solve(challenge, Number(bits), show);
} else again(seconds);
"""
_LONGEST_WAIT = 10  # seconds until a page tries again, where nobody says how long it takes
_MARKS = {name: f"\0{name}\0" for name in ("nonce", "challenge", "bits", "seconds", "script")}


def make_busy_page(site: Site) -> Callable[[Request, LimitReached], Response]:
    """Return what makes the answer to a stranger of a busy network."""

    @cache
    def draw(code: str, theme: str) -> str:
        return _draw(site.languages[code], theme)

    def answer(request: Request, error: LimitReached) -> Response:
        bits = site.chat.busy_networks.challenge_bits(address_of(request))
        seconds = str(error.details.get("seconds", _LONGEST_WAIT))
        page = draw(site.language(request).code, chosen_theme(request))
        for name, value in {
            "nonce": request.scope["nonce"],
            "challenge": site.chat.puzzle.pose(bits),
            "bits": str(bits),
            "seconds": seconds,
        }.items():
            page = page.replace(_MARKS[name], value)
        headers = {"Retry-After": seconds, "Cache-Control": "no-store"}
        return HTMLResponse(page, 429, headers=headers)

    return answer


def _draw(language: Language, theme: str) -> str:
    again = language("Please come again in {seconds} s.", seconds=_MARKS["seconds"])
    page = html(lang=language.code)[
        head[
            meta(charset="utf-8"),
            meta(name="viewport", content="width=device-width, initial-scale=1"),
            title_tag["anonchat"],
            link(rel="stylesheet", href=STYLE_SHEET),
            style[f":root {{ color-scheme: {theme}; }}"] if theme else None,
            noscript[meta(http_equiv="refresh", content=_MARKS["seconds"])],
        ],
        body(
            data_challenge=_MARKS["challenge"],
            data_bits=_MARKS["bits"],
            data_seconds=_MARKS["seconds"],
        )[
            main(class_="nothing page busy")[
                mark(),
                h1[language("Many people come from your network just now.")],
                p(role="status")[again],
                template[language("One moment: your browser shows that this is not a flood.")],
            ],
            script(type="module", nonce=_MARKS["nonce"])[_MARKS["script"]],
        ],
    ]
    return str(page).replace(_MARKS["script"], _SOLVER + _SCRIPT)
